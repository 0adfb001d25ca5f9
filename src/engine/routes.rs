//! Every route of the Engine API, in the daemon's order: what a call is called and who reads it.

use super::body::Body;
use super::readers::{
    Reader, build, checkpoint, container, exec, image, network, plain, plugin, swarm, volume,
};
use crate::authz::Action;

/// The method of a route that the daemon serves whatever the method is.
pub(super) const ANY: &str = "ANY";

/// One route of the Engine API.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    /// The method, which must match exactly: `HEAD` is not `GET`. [`ANY`] is every method.
    pub(super) method: &'static str,
    /// The path in the daemon's own template form; `{x:.*}` spans slashes, `{x}` does not.
    pub(super) path: &'static str,
    /// What the call is.
    pub(super) operation: Action,
    /// The docker command line that people know it by.
    pub(super) verb: &'static str,
    /// What the daemon expects as its body.
    pub(super) body: Body,
    /// Who works out what the call needs.
    pub(super) reader: Reader,
    /// Query keys that the daemon reads once.
    pub(super) once: &'static [&'static str],
    /// Query keys that the daemon reads as a list.
    pub(super) all: &'static [&'static str],
}

macro_rules! routes {
    ($($method:ident $path:literal $operation:ident $verb:literal $body:ident $module:ident::$reader:ident
        $([$($once:literal)*])? $(all [$($all:literal)*])? ;)*) => {
        /// The table. Of two routes that match, the daemon takes the first.
        pub(super) const ROUTES: &[Route] = &[$(Route {
            method: stringify!($method),
            path: $path,
            operation: Action::$operation,
            verb: $verb,
            body: Body::$body,
            reader: $module::$reader,
            once: &[$($($once),*)?],
            all: &[$($($all),*)?],
        },)*];
    };
}

// Bodies:  Unread   the daemon looks at none        Json         needed, and must be shown
//          Empty    there must be none              JsonOrEmpty  none at all, or shown
//          Archive  a stream that is never shown    Ignored      none at all, or JSON without effect
//          Credentials  never shown, never looked at
routes! {
    // The daemon registers checkpoints before containers: the second would match them too.
    GET     "/containers/{name:.*}/checkpoints"  CheckpointList    "docker checkpoint ls"     Unread       checkpoint::in_directory ["dir"];
    POST    "/containers/{name:.*}/checkpoints"  CheckpointCreate  "docker checkpoint create" Json         checkpoint::create;
    DELETE  "/containers/{name}/checkpoints/{checkpoint}" CheckpointDelete "docker checkpoint rm" Unread   checkpoint::in_directory ["dir"];

    HEAD    "/containers/{name:.*}/archive"      ContainerArchiveStat "docker cp"             Unread       plain::named ["path"];
    GET     "/containers/json"                   ContainerList     "docker ps"                Unread       plain::all ["all" "before" "filters" "limit" "since" "size"];
    GET     "/containers/{name:.*}/export"       ContainerExport   "docker export"            Unread       plain::named;
    GET     "/containers/{name:.*}/changes"      ContainerChanges  "docker diff"              Unread       plain::named;
    GET     "/containers/{name:.*}/json"         ContainerInspect  "docker inspect"           Unread       plain::named ["size"];
    GET     "/containers/{name:.*}/top"          ContainerTop      "docker top"               Unread       container::top ["ps_args"];
    GET     "/containers/{name:.*}/logs"         ContainerLogs     "docker logs"              Unread       plain::named ["details" "follow" "format" "since" "stderr" "stdout" "tail" "timestamps" "until"];
    GET     "/containers/{name:.*}/stats"        ContainerStats    "docker stats"             Unread       plain::named ["one-shot" "stream"];
    GET     "/containers/{name:.*}/attach/ws"    ContainerAttach   "docker attach"            Unread       plain::named ["detachKeys" "logs" "stderr" "stdin" "stdout" "stream"];
    GET     "/exec/{id:.*}/json"                 ExecInspect       "docker exec"              Unread       plain::named;
    GET     "/containers/{name:.*}/archive"      ContainerArchiveGet "docker cp"              Unread       plain::named ["path"];
    POST    "/containers/create"                 ContainerCreate   "docker run"               Json         container::create ["name" "platform"];
    POST    "/containers/{name:.*}/kill"         ContainerKill     "docker kill"              Empty        plain::named ["signal"];
    POST    "/containers/{name:.*}/pause"        ContainerPause    "docker pause"             Empty        plain::named;
    POST    "/containers/{name:.*}/unpause"      ContainerUnpause  "docker unpause"           Empty        plain::named;
    POST    "/containers/{name:.*}/restart"      ContainerRestart  "docker restart"           Empty        plain::named ["signal" "t"];
    POST    "/containers/{name:.*}/start"        ContainerStart    "docker start"             Empty        container::start ["checkpoint" "checkpoint-dir" "detachKeys"];
    POST    "/containers/{name:.*}/stop"         ContainerStop     "docker stop"              Empty        plain::named ["signal" "t"];
    POST    "/containers/{name:.*}/wait"         ContainerWait     "docker wait"              Empty        plain::named ["condition"];
    POST    "/containers/{name:.*}/resize"       ContainerResize   "docker attach"            Empty        plain::named ["h" "w"];
    POST    "/containers/{name:.*}/attach"       ContainerAttach   "docker attach"            Empty        plain::named ["detachKeys" "logs" "stderr" "stdin" "stdout" "stream"];
    POST    "/containers/{name:.*}/copy"         ContainerArchiveGet "docker cp"              Json         container::copy;
    POST    "/containers/{name:.*}/exec"         ContainerExec     "docker exec"              Json         exec::create;
    POST    "/exec/{name:.*}/start"              ExecStart         "docker exec"              JsonOrEmpty  exec::start;
    POST    "/exec/{name:.*}/resize"             ExecResize        "docker exec"              Empty        plain::named ["h" "w"];
    POST    "/containers/{name:.*}/rename"       ContainerRename   "docker rename"            Empty        container::rename ["name"];
    POST    "/containers/{name:.*}/update"       ContainerUpdate   "docker update"            JsonOrEmpty  container::update;
    POST    "/containers/prune"                  ContainerPrune    "docker container prune"   Empty        plain::all ["filters"];
    POST    "/commit"                            ImageCommit       "docker commit"            JsonOrEmpty  container::commit ["author" "comment" "container" "pause" "repo" "tag"] all ["changes"];
    PUT     "/containers/{name:.*}/archive"      ContainerArchivePut "docker cp"              Archive      plain::named ["copyUIDGID" "noOverwriteDirNonDir" "path"];
    DELETE  "/containers/{name:.*}"              ContainerDelete   "docker rm"                Unread       plain::named ["force" "link" "v"];

    // Images.
    GET     "/images/json"                       ImageList         "docker images"            Unread       plain::all ["all" "digests" "filter" "filters" "identity" "manifests" "shared-size"];
    GET     "/images/search"                     ImageSearch       "docker search"            Unread       image::search ["filters" "limit" "term"];
    GET     "/images/get"                        ImageSave         "docker save"              Unread       image::save all ["names" "platform"];
    GET     "/images/{name:.*}/get"              ImageSave         "docker save"              Unread       plain::image all ["names" "platform"];
    GET     "/images/{name:.*}/history"          ImageHistory      "docker history"           Unread       plain::image ["platform"];
    GET     "/images/{name:.*}/json"             ImageInspect      "docker image inspect"     Unread       plain::image ["manifests" "platform"];
    GET     "/images/{name:.*}/attestations"     ImageAttestations "docker image inspect"     Unread       plain::image ["platform" "statement"] all ["type"];
    POST    "/images/load"                       ImageLoad         "docker load"              Archive      plain::all ["quiet"] all ["platform"];
    POST    "/images/create"                     ImagePull         "docker pull"              Archive      image::create ["fromImage" "fromSrc" "message" "platform" "repo" "tag"] all ["changes"];
    POST    "/images/{name:.*}/push"             ImagePush         "docker push"              Ignored      image::push ["platform" "tag"];
    POST    "/images/{name:.*}/tag"              ImageTag          "docker tag"               Empty        image::tag ["repo" "tag"];
    POST    "/images/prune"                      ImagePrune        "docker image prune"       Empty        plain::all ["filters"];
    DELETE  "/images/{name:.*}"                  ImageDelete       "docker rmi"               Unread       plain::image ["force" "noprune"] all ["platforms"];

    // The daemon.
    OPTIONS "/{anyroute:.*}"                     SystemOptions     "docker info"              Unread       plain::all;
    GET     "/_ping"                             SystemPing        "any docker command"       Unread       plain::all;
    HEAD    "/_ping"                             SystemPing        "any docker command"       Unread       plain::all;
    GET     "/events"                            SystemEvents      "docker events"            Unread       plain::all ["filters" "since" "until"];
    GET     "/info"                              SystemInfo        "docker info"              Unread       plain::all;
    GET     "/version"                           SystemVersion     "docker version"           Unread       plain::all;
    GET     "/system/df"                         SystemDf          "docker system df"         Unread       plain::all ["verbose"] all ["type"];
    POST    "/auth"                              SystemAuth        "docker login"             Credentials  plain::all;

    // Volumes.
    GET     "/volumes"                           VolumeList        "docker volume ls"         Unread       plain::all ["filters"];
    GET     "/volumes/{name:.*}"                 VolumeInspect     "docker volume inspect"    Unread       plain::named;
    POST    "/volumes/create"                    VolumeCreate      "docker volume create"     Json         volume::create;
    POST    "/volumes/prune"                     VolumePrune       "docker volume prune"      Empty        plain::all ["filters"];
    PUT     "/volumes/{name:.*}"                 VolumeUpdate      "docker volume update"     JsonOrEmpty  volume::update ["version"];
    DELETE  "/volumes/{name:.*}"                 VolumeDelete      "docker volume rm"         Unread       plain::named ["force"];

    // Builds.
    POST    "/build"                             ImageBuild        "docker build"             Archive      build::image
        ["buildargs" "buildid" "cachefrom" "cgroupparent" "cpuperiod" "cpuquota" "cpusetcpus" "cpusetmems" "cpushares"
         "dockerfile" "forcerm" "isolation" "labels" "memory" "memswap" "networkmode" "nocache" "outputs" "platform"
         "pull" "q" "remote" "rm" "session" "shmsize" "squash" "target" "ulimits" "version"]
        all ["extrahosts" "securityopt" "t"];
    POST    "/build/prune"                       BuildPrune        "docker builder prune"     Empty        plain::all ["all" "filters" "keep-storage" "max-used-space" "min-free-space" "reserved-space"];
    POST    "/build/cancel"                      BuildCancel       "docker build"             Empty        build::cancel ["id"];
    POST    "/session"                           BuildSession      "docker build"             Empty        plain::all;
    POST    "/grpc"                              BuildSession      "docker build"             Empty        plain::all;

    // Swarm.
    POST    "/swarm/init"                        SwarmInit         "docker swarm init"        Json         swarm::init;
    POST    "/swarm/join"                        SwarmJoin         "docker swarm join"        Json         swarm::join;
    POST    "/swarm/leave"                       SwarmLeave        "docker swarm leave"       Empty        plain::all ["force"];
    GET     "/swarm"                             SwarmInspect      "docker swarm join-token"  Unread       plain::all;
    GET     "/swarm/unlockkey"                   SwarmUnlockKey    "docker swarm unlock-key"  Unread       plain::all;
    POST    "/swarm/update"                      SwarmUpdate       "docker swarm update"      Json         swarm::update ["rotateManagerToken" "rotateManagerUnlockKey" "rotateWorkerToken" "version"];
    POST    "/swarm/unlock"                      SwarmUnlock       "docker swarm unlock"      Json         swarm::unlock;
    GET     "/services"                          ServiceList       "docker service ls"        Unread       plain::all ["filters" "status"];
    GET     "/services/{id}"                     ServiceInspect    "docker service inspect"   Unread       plain::named ["insertDefaults"];
    POST    "/services/create"                   ServiceCreate     "docker service create"    Json         swarm::service_create;
    POST    "/services/{id}/update"              ServiceUpdate     "docker service update"    Json         swarm::service_update ["registryAuthFrom" "rollback" "version"];
    DELETE  "/services/{id}"                     ServiceDelete     "docker service rm"        Unread       plain::named;
    GET     "/services/{id}/logs"                ServiceLogs       "docker service logs"      Unread       plain::named ["details" "follow" "since" "stderr" "stdout" "tail" "timestamps" "until"];
    GET     "/nodes"                             NodeList          "docker node ls"           Unread       plain::all ["filters"];
    GET     "/nodes/{id}"                        NodeInspect       "docker node inspect"      Unread       plain::named;
    DELETE  "/nodes/{id}"                        NodeDelete        "docker node rm"           Unread       plain::named ["force"];
    POST    "/nodes/{id}/update"                 NodeUpdate        "docker node update"       Json         swarm::node_update ["version"];
    GET     "/tasks"                             TaskList          "docker service ps"        Unread       plain::all ["filters"];
    GET     "/tasks/{id}"                        TaskInspect       "docker inspect"           Unread       plain::named;
    GET     "/tasks/{id}/logs"                   TaskLogs          "docker service logs"      Unread       plain::named ["details" "follow" "since" "stderr" "stdout" "tail" "timestamps" "until"];
    GET     "/secrets"                           SecretList        "docker secret ls"         Unread       plain::all ["filters"];
    POST    "/secrets/create"                    SecretCreate      "docker secret create"     Json         swarm::secret_create;
    DELETE  "/secrets/{id}"                      SecretDelete      "docker secret rm"         Unread       plain::named;
    GET     "/secrets/{id}"                      SecretInspect     "docker secret inspect"    Unread       plain::named;
    POST    "/secrets/{id}/update"               SecretUpdate      "docker secret update"     Json         swarm::secret_update ["version"];
    GET     "/configs"                           ConfigList        "docker config ls"         Unread       plain::all ["filters"];
    POST    "/configs/create"                    ConfigCreate      "docker config create"     Json         swarm::config_create;
    DELETE  "/configs/{id}"                      ConfigDelete      "docker config rm"         Unread       plain::named;
    GET     "/configs/{id}"                      ConfigInspect     "docker config inspect"    Unread       plain::named;
    POST    "/configs/{id}/update"               ConfigUpdate      "docker config update"     Json         swarm::config_update ["version"];

    // Managed plugins.
    GET     "/plugins"                           PluginList        "docker plugin ls"         Unread       plain::all ["filters"];
    GET     "/plugins/{name:.*}/json"            PluginInspect     "docker plugin inspect"    Unread       plugin::named;
    GET     "/plugins/privileges"                PluginPrivileges  "docker plugin install"    Unread       plugin::privileges ["name" "remote"];
    DELETE  "/plugins/{name:.*}"                 PluginDelete      "docker plugin rm"         Unread       plugin::named ["force"];
    POST    "/plugins/{name:.*}/enable"          PluginEnable      "docker plugin enable"     Empty        plugin::named ["timeout"];
    POST    "/plugins/{name:.*}/disable"         PluginDisable     "docker plugin disable"    Empty        plugin::named ["force"];
    POST    "/plugins/pull"                      PluginPull        "docker plugin install"    Json         plugin::pull ["name" "remote"];
    POST    "/plugins/{name:.*}/push"            PluginPush        "docker plugin push"       Ignored      plugin::named;
    POST    "/plugins/{name:.*}/upgrade"         PluginUpgrade     "docker plugin upgrade"    Json         plugin::upgrade ["remote"];
    POST    "/plugins/{name:.*}/set"             PluginSet         "docker plugin set"        Json         plugin::set;
    POST    "/plugins/create"                    PluginCreate      "docker plugin create"     Archive      plugin::create ["name"];

    // Registries and networks.
    GET     "/distribution/{name:.*}/json"       DistributionInspect "docker manifest inspect" Unread      plain::image;
    GET     "/networks"                          NetworkList       "docker network ls"        Unread       plain::all ["filters"];
    GET     "/networks/"                         NetworkList       "docker network ls"        Unread       plain::all ["filters"];
    GET     "/networks/{id:.+}"                  NetworkInspect    "docker network inspect"   Unread       plain::named ["scope" "verbose"];
    POST    "/networks/create"                   NetworkCreate     "docker network create"    Json         network::create;
    POST    "/networks/{id:.*}/connect"          NetworkConnect    "docker network connect"   Json         network::connect;
    POST    "/networks/{id:.*}/disconnect"       NetworkDisconnect "docker network disconnect" Json        network::disconnect;
    POST    "/networks/prune"                    NetworkPrune      "docker network prune"     Empty        plain::all ["filters"];
    DELETE  "/networks/{id:.*}"                  NetworkDelete     "docker network rm"        Unread       plain::named;

    // Profiles of the daemon's own process. Engines up to 27 answer every method here, newer ones GET.
    ANY     "/debug/vars"                        SystemDebug       "docker info"              Unread       plain::all;
    ANY     "/debug/pprof/"                      SystemDebug       "docker info"              Unread       plain::all;
    ANY     "/debug/pprof/cmdline"               SystemDebug       "docker info"              Unread       plain::all;
    ANY     "/debug/pprof/profile"               SystemDebug       "docker info"              Unread       plain::all;
    ANY     "/debug/pprof/symbol"                SystemDebug       "docker info"              Unread       plain::all;
    ANY     "/debug/pprof/trace"                 SystemDebug       "docker info"              Unread       plain::all;
    ANY     "/debug/pprof/{name}"                SystemDebug       "docker info"              Unread       plain::all;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::ROUTES;

    /// Method and path of every route of every engine.
    fn of_engines() -> BTreeSet<(&'static str, &'static str)> {
        include_str!("../../tests/data/engine-routes.tsv")
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| {
                let columns: Vec<&str> = line.split('\t').collect();
                (columns[0], columns[1])
            })
            .collect()
    }

    #[test]
    fn the_table_has_the_routes_that_engines_have_and_no_others() {
        let table: BTreeSet<_> = ROUTES.iter().map(|route| (route.method, route.path)).collect();
        let engines = of_engines();
        assert_eq!(engines.difference(&table).collect::<Vec<_>>(), Vec::<&(&str, &str)>::new(), "missing");
        assert_eq!(
            table.difference(&engines).collect::<Vec<_>>(),
            Vec::<&(&str, &str)>::new(),
            "of no engine"
        );
        assert_eq!(table.len(), ROUTES.len(), "a route stands twice");
    }

    #[test]
    fn every_verb_is_a_docker_command_and_no_key_is_read_both_once_and_as_a_list() {
        for route in ROUTES {
            assert!(
                route.verb.starts_with("docker ") || route.verb == "any docker command",
                "{}",
                route.verb
            );
            let keys: BTreeSet<_> = route.once.iter().chain(route.all).collect();
            assert_eq!(keys.len(), route.once.len() + route.all.len(), "{} {}", route.method, route.path);
        }
    }
}
