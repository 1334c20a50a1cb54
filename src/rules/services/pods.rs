//! Kubernetes Pods in which services run that have no need of each other's host.

use super::manifest::{Container, Pod, pods};
use super::start::listed;
use crate::diagnostic::Severity;
use crate::rules::{Check, Findings, Project, Rule};

/// `pod-containers`.
pub static RULE: Rule = Rule {
    name: "pod-containers",
    severity: Severity::Note,
    summary: "a Pod runs several services of their own, which are then placed, scaled and restarted together",
    also: &[],
    check: Check::Project(check),
};

/// Servers that keep data or messages: never a helper of the container beside them.
const SERVERS: &str = "postgres postgresql mysql mariadb mongo mongodb redis valkey rabbitmq elasticsearch opensearch kafka zookeeper cassandra clickhouse minio \
    influxdb neo4j couchdb";

/// Parts of names of containers that belong to another one.
const HELPERS: &str = "proxy envoy istio linkerd exporter fluent filebeat vector promtail agent sidecar metrics logger logging reload sync csi provisioner attacher \
    resizer snapshotter registrar liveness vault jaeger otel collector rbac oauth nginx dind docker config watch sentinel backup tunnel init \
    telegraf statsd test";

/// Files that are read at most.
const MOST_FILES: usize = 2_000;

fn check(project: &Project<'_>, out: &mut Findings<'_>) {
    let own = own_images(project);
    let yaml = |f: &&String| f.ends_with(".yaml") || f.ends_with(".yml");
    let quiet = ["test", "fixture", "vendor/", "example", "sample"];
    let files = project.files.list().iter().filter(yaml);
    let files = files.filter(|f| !quiet.iter().any(|q| f.contains(q)));
    for file in files.take(MOST_FILES) {
        let text = project.files.read(file);
        let Some(text) = text.and_then(|t| String::from_utf8(t).ok()) else {
            continue;
        };
        for pod in pods(&text) {
            judge(&pod, file, &own, out);
        }
    }
}

fn judge(pod: &Pod, file: &str, own: &[String], out: &mut Findings<'_>) {
    let helper = |c: &&Container| {
        let image = short(&c.image);
        HELPERS
            .split_whitespace()
            .any(|h| c.name.contains(h) || image.contains(h))
    };
    let mains: Vec<&Container> = pod.containers.iter().filter(|c| !helper(c)).collect();
    let server = |c: &Container| listed(SERVERS, short(&c.image));
    let built = |c: &Container| own.iter().any(|o| o == short(&c.image));
    for (i, one) in mains.iter().enumerate().skip(1) {
        let before = &mains[..i];
        let other = before.iter().find(|b| short(&b.image) != short(&one.image));
        let Some(other) = other else { continue };
        let apart = server(one) || server(other) || (built(one) && built(other));
        if !apart {
            continue;
        }
        let message = format!(
            "this {} runs `{}` in the same Pod as `{}`: they are placed, scaled and restarted together",
            pod.kind, one.name, other.name
        );
        out.at(one.span, message)
            .in_file(file)
            .help("give each a Deployment of its own and a Service to reach it by");
        return;
    }
}

/// The last part of an image's name, without tag and digest.
fn short(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split(':').next().unwrap_or(last)
}

/// Names that images of this repository may have: folders and endings of its Dockerfiles.
fn own_images(project: &Project<'_>) -> Vec<String> {
    let mut out = Vec::new();
    for file in &project.dockerfiles {
        let mut parts: Vec<&str> = file.path.split('/').collect();
        let name = parts.pop().unwrap_or_default();
        let ending = name
            .strip_prefix("Dockerfile.")
            .or(name.strip_suffix(".Dockerfile"));
        out.extend(ending.map(str::to_owned));
        out.extend(parts.last().map(|p| (*p).to_owned()));
    }
    out
}
