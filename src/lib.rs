#![doc = include_str!("ARCHITECTURE.md")]

pub mod authz;
pub mod engine;

pub mod audit;
pub mod directory;
pub mod hostfs;
pub mod identity;
pub mod inventory;
pub mod policy;
pub mod store;
pub mod token;
pub mod web;

pub mod admin;
pub mod gateway;
pub mod plugin;

pub mod cli;
pub mod config;
pub mod serve;
