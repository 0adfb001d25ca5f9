//! What the daemon says of everything at once: its facts, and its disk usage.

use super::json::{self, Kept};
use super::viewer::{Thing, Viewer};
use super::{ViewError, lists, redact};
use crate::authz::{Action, Kind};

/// How many things there are, of those that the viewer may see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    containers: usize,
    running: usize,
    paused: usize,
    images: usize,
}

impl Counts {
    /// Counts in the daemon's whole lists of containers and of images.
    pub(super) fn of(viewer: &Viewer, containers: &str, images: &str) -> Result<Self, ViewError> {
        #[derive(serde::Deserialize)]
        struct Container {
            #[serde(rename = "State")]
            state: String,
        }
        let mut counts = Self::default();
        for item in json::items(containers)? {
            if viewer.sees(&Thing::read(Kind::Container, item)?) {
                let Container { state } = json::read(item)?;
                counts.containers += 1;
                counts.running += usize::from(state == "running");
                counts.paused += usize::from(state == "paused");
            }
        }
        for item in json::items(images)? {
            counts.images += usize::from(viewer.sees(&Thing::read(Kind::Image, item)?));
        }
        Ok(counts)
    }
}

/// The daemon's facts, with the viewer's own counts, and without the passwords in addresses.
pub(super) fn info(counts: Option<Counts>, answer: &str) -> Result<String, ViewError> {
    let counted = json::edit_values(answer, |key, _| {
        let Some(counts) = counts else { return Ok(None) };
        Ok(match key {
            "Containers" => Some(counts.containers),
            "ContainersRunning" => Some(counts.running),
            "ContainersPaused" => Some(counts.paused),
            "ContainersStopped" => Some(counts.containers - counts.running - counts.paused),
            "Images" => Some(counts.images),
            _ => None,
        }
        .map(|number| number.to_string()))
    })?;
    redact::credentials(&counted)
}

/// Members of newer answers, each an object with totals and, if asked for, `Items`.
#[rustfmt::skip]
const USAGES: &[(&str, Option<Kind>)] = &[
    ("ContainerUsage",       Some(Kind::Container)),
    ("ContainersDiskUsage",  Some(Kind::Container)),
    ("ImageUsage",           Some(Kind::Image)),
    ("ImagesDiskUsage",      Some(Kind::Image)),
    ("VolumeUsage",          Some(Kind::Volume)),
    ("VolumesDiskUsage",     Some(Kind::Volume)),
    ("BuildCacheUsage",      None),
    ("BuildCacheDiskUsage",  None),
];

/// Disk usage of what the viewer may see.
///
/// The build cache is nobody's: it is for whoever sees every image. Totals over all images are made anew from those
/// that are visible, and where an answer has totals alone, they are blanked.
pub(super) fn disk_usage(viewer: &Viewer, answer: &str) -> Result<String, ViewError> {
    let mut answer = answer.to_owned();
    for list in lists::of(Action::SystemDf) {
        answer = list.filtered(viewer, &answer)?;
    }
    if viewer.sight.is_whole(Kind::Image)
        && viewer.sight.is_whole(Kind::Container)
        && viewer.sight.is_whole(Kind::Volume)
    {
        return Ok(answer);
    }
    let layers = layers(&answer)?;
    json::edit_values(&answer, |key, value| {
        let usage = USAGES.iter().find(|(name, _)| *name == key);
        let all_images = viewer.sight.is_whole(Kind::Image);
        Ok(match (key, usage) {
            (_, Some((_, kind))) if !json::is_null(value) => Some(totals(viewer, *kind, value)?),
            ("LayersSize", _) if !all_images => Some(layers.to_string()),
            ("BuildCache", _) if !all_images && !json::is_null(value) => Some("[]".to_owned()),
            ("BuilderSize", _) if !all_images => Some("0".to_owned()),
            _ => None,
        })
    })
}

/// The size of all images that are left, each counted whole.
fn layers(answer: &str) -> Result<i64, ViewError> {
    #[derive(serde::Deserialize)]
    struct Image {
        #[serde(rename = "Size")]
        size: i64,
    }
    let mut sum = 0_i64;
    for (key, value) in json::members(answer)? {
        if key == "Images" {
            for item in json::items(value)? {
                let Image { size } = json::read(item)?;
                sum = sum.saturating_add(size.max(0));
            }
        }
    }
    Ok(sum)
}

/// A usage with its visible items, if it has any, and without totals, which would count the others.
fn totals(viewer: &Viewer, kind: Option<Kind>, usage: &str) -> Result<String, ViewError> {
    let whole = viewer.sight.is_whole(kind.unwrap_or(Kind::Image));
    json::edit_values(usage, |key, value| {
        Ok(match (key, kind) {
            _ if whole => None,
            ("Items", Some(kind)) => Some(lists::items(viewer, kind, value)?),
            ("Items", None) => Some(json::edit_list(value, |_| Ok(Kept::Not))?),
            ("TotalCount" | "ActiveCount" | "TotalSize" | "Reclaimable", _) => Some("0".to_owned()),
            _ => None,
        })
    })
}
