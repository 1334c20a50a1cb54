//! Kubernetes manifests: the containers of each Pod.
//!
//! Goes in: the text of a YAML file. Comes out: its Pods, with places in the file. Costs one parse of each document that mentions containers,
//! under a budget. Invariants: templates and documents of other kinds give nothing, quietly.

use crate::source::Span;
use serde::Deserialize;
use serde_saphyr::Spanned;

/// One Pod, or what makes Pods.
#[derive(Debug)]
pub struct Pod {
    /// `Deployment` and so on.
    pub kind: String,
    /// Its containers in order, those of `initContainers` not among them.
    pub containers: Vec<Container>,
}

/// One container.
#[derive(Debug)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Where its image is named.
    pub span: Span,
}

#[derive(Deserialize)]
struct Manifest {
    kind: Option<String>,
    spec: Option<Spec>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    containers: Option<Vec<Written>>,
    template: Option<Box<Template>>,
    job_template: Option<Box<Template>>,
}

#[derive(Deserialize)]
struct Template {
    spec: Option<Spec>,
}

#[derive(Deserialize)]
struct Written {
    name: Option<String>,
    image: Option<Spanned<String>>,
}

const KINDS: [&str; 7] = [
    "Pod",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "Job",
    "CronJob",
];

/// The Pods of a file.
pub fn pods(text: &str) -> Vec<Pod> {
    let mut out = Vec::new();
    if !text.contains("containers:") || text.contains("{{") {
        return out;
    }
    let mut start = 0;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_end() == "---" || line.starts_with("--- ") {
            out.extend(document(text, start, at));
            start = at + line.len();
        }
        at += line.len();
    }
    out.extend(document(text, start, text.len()));
    out
}

fn document(text: &str, start: usize, end: usize) -> Option<Pod> {
    let part = text.get(start..end)?;
    if !part.contains("containers:") {
        return None;
    }
    let budget = serde_saphyr::budget! {
        max_depth: 64,
        max_aliases: 100,
        max_anchors: 100,
        max_nodes: 50_000,
        max_events: 150_000,
        max_total_scalar_bytes: 1 << 20,
    };
    let options = serde_saphyr::options! { budget: budget, with_snippet: false };
    let manifest: Manifest = serde_saphyr::from_str_with_options(part, options).ok()?;
    let kind = manifest.kind.filter(|k| KINDS.contains(&k.as_str()))?;
    let mut spec = manifest.spec?;
    while spec.containers.is_none() {
        let inner = spec.template.or(spec.job_template)?;
        spec = inner.spec?;
    }
    let containers = spec.containers?.into_iter().filter_map(|c| {
        let image = c.image?;
        let place = image.referenced.span();
        let offset = |n: Option<u64>| n.and_then(|n| usize::try_from(n).ok());
        let from = start + offset(place.byte_offset())?;
        let len = offset(place.byte_len()).unwrap_or(0);
        Some(Container {
            name: c.name?,
            image: image.value,
            span: Span::new(from, from + len),
        })
    });
    Some(Pod {
        kind,
        containers: containers.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::pods;

    #[test]
    fn documents_and_kinds() {
        let text = "kind: Service\nspec:\n  ports: [1]\n---\nkind: Deployment\nspec:\n  template:\n    spec:\n      initContainers:\n      - {name: i, image: x}\n      \
                    containers:\n      - name: a\n        image: a:1\n      - {name: b, image: \"b:1\"}\n---\nkind: Widget\nspec:\n  containers: 3\n";
        let found = pods(text);
        assert_eq!(found.len(), 1);
        let names: Vec<&str> = found[0]
            .containers
            .iter()
            .map(|c| c.name.as_str())
            .collect();
        assert_eq!(
            (found[0].kind.as_str(), names),
            ("Deployment", vec!["a", "b"])
        );
        assert_eq!(&text[found[0].containers[0].span.range()], "a:1");
        for odd in [
            "containers:",
            "kind: Pod\nspec:\n  containers: {{ x }}",
            "a: [\ncontainers:",
        ] {
            assert!(pods(odd).is_empty(), "{odd}");
        }
    }
}
