//! Builds that a compose file describes.
//!
//! Goes in: the first compose file at the root, in the order the compose command looks for it.
//! Comes out: one build per service that has one, by service name, and notes on what was left out.
//! Cost: one typed parse under a budget for aliases, depth and size. Invariant: profiles, `extends`
//! and anything else unknown is ignored, never an error.

use super::files::Files;
use super::interpolate::interpolate;
use super::{Build, Located, note, read_text, warning};
use crate::source::Span;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};
use std::collections::BTreeMap;
use std::fmt;

/// In the order of preference; only the first one counts.
const NAMES: [&str; 4] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
];

#[derive(Deserialize)]
struct Compose {
    services: Option<BTreeMap<String, Option<Service>>>,
}

#[derive(Deserialize)]
struct Service {
    build: Option<Spanned<BuildField>>,
    platform: Option<String>,
}

/// `build:` is a context, or a mapping.
#[derive(Default, Deserialize)]
struct BuildMap {
    context: Option<String>,
    dockerfile: Option<String>,
    dockerfile_inline: Option<String>,
    target: Option<String>,
    args: Option<Args>,
    platforms: Option<Vec<String>>,
}

struct BuildField(BuildMap);

/// `args:` as pairs; a name without a value takes it from the environment.
struct Args(Vec<(String, Option<String>)>);

impl<'de> Deserialize<'de> for BuildField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = BuildField;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a build context or a mapping")
            }
            fn visit_str<E>(self, context: &str) -> Result<BuildField, E> {
                Ok(BuildField(BuildMap {
                    context: Some(context.to_owned()),
                    ..BuildMap::default()
                }))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<BuildField, A::Error> {
                BuildMap::deserialize(MapAccessDeserializer::new(map)).map(BuildField)
            }
        }
        deserializer.deserialize_any(Form)
    }
}

impl<'de> Deserialize<'de> for Args {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = Args;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping or a list of NAME=VALUE")
            }
            // Values are asked for as strings, so that 1.20 stays 1.20.
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Args, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry::<String, Option<String>>()? {
                    pairs.push(pair);
                }
                Ok(Args(pairs))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Args, A::Error> {
                let mut pairs = Vec::new();
                while let Some(text) = list.next_element::<String>()? {
                    pairs.push(match text.split_once('=') {
                        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                        None => (text, None),
                    });
                }
                Ok(Args(pairs))
            }
        }
        deserializer.deserialize_any(Form)
    }
}

/// Every build of the compose file, with the file's name.
pub(super) fn read(files: &dyn Files, diagnostics: &mut Vec<Located>) -> Vec<(String, Build)> {
    let mut present = NAMES.into_iter().filter(|name| files.is_file(name));
    let Some(file) = present.next() else {
        return Vec::new();
    };
    for other in present {
        let message = format!("{other} is not read, because {file} is there");
        let code = "project/second-compose-file";
        diagnostics.push(note(other, code, message, Span::default()));
    }
    let Some(text) = read_text(files, file, diagnostics) else {
        return Vec::new();
    };
    let budget = serde_saphyr::budget! {
        max_depth: 64,
        max_aliases: 5_000,
        max_anchors: 5_000,
        max_nodes: 100_000,
        max_events: 300_000,
        max_total_scalar_bytes: 8 << 20,
    };
    let options = serde_saphyr::options! { budget: budget, with_snippet: false };
    let compose = match serde_saphyr::from_str_with_options::<Option<Compose>>(&text, options) {
        Ok(compose) => compose,
        Err(error) => {
            let span = error.location().map_or(Span::default(), span);
            let text = error.without_snippet().to_string();
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let message = format!("no target is taken from {file}: {text}");
            diagnostics.push(warning(file, message, span));
            return Vec::new();
        }
    };
    let services = compose.and_then(|compose| compose.services);
    let mut builds = Vec::new();
    for (name, service) in services.unwrap_or_default() {
        let Some((build, platform)) = service.and_then(|s| Some((s.build?, s.platform))) else {
            continue;
        };
        let origin = format!("{file}: service {name}");
        let span = span(build.referenced);
        let mut platforms = build.value.0.platforms.clone().unwrap_or_default();
        platforms.extend(platform);
        match resolve(
            build.value.0,
            platforms.first(),
            origin,
            span,
            file,
            diagnostics,
        ) {
            Ok(build) => builds.push((file.to_owned(), build)),
            Err(message) => {
                diagnostics.push(note(file, "project/unknown-variable", message, span));
            }
        }
    }
    builds
}

/// Puts defaults in place of variables. An argument whose value is unknown is left out with a note;
/// an unknown path or stage leaves the whole build out.
fn resolve(
    build: BuildMap,
    platform: Option<&String>,
    origin: String,
    span: Span,
    file: &str,
    diagnostics: &mut Vec<Located>,
) -> Result<Build, String> {
    let known = |what: &str, text: Option<String>| match text.as_deref().map(interpolate) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(text)),
        Some(Err(name)) => Err(format!(
            "{origin} is left out: its {what} depends on {name}, which has no default"
        )),
    };
    let mut args: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in build.args.map(|args| args.0).unwrap_or_default() {
        let reason = match value.as_deref().map(interpolate) {
            Some(Ok(value)) => {
                args.insert(name, value);
                continue;
            }
            Some(Err(variable)) => format!("{variable} has no default"),
            None => "it comes from the environment".to_owned(),
        };
        let message = format!("{origin}: the argument {name} is left out: {reason}");
        diagnostics.push(note(file, "project/unknown-argument", message, span));
    }
    Ok(Build {
        context: known("context", build.context)?,
        dockerfile: known("Dockerfile", build.dockerfile)?,
        inline: known("Dockerfile text", build.dockerfile_inline)?,
        stage: known("target", build.target)?,
        args: args.into_iter().collect(),
        // A platform that only the environment knows is the default one here.
        platform: platform.and_then(|platform| interpolate(platform).ok()),
        origin,
        span,
    })
}

fn span(location: Location) -> Span {
    let bytes = location.span();
    let offset = |n: Option<u64>| n.and_then(|n| usize::try_from(n).ok());
    let start = offset(bytes.byte_offset()).unwrap_or(0);
    Span::new(start, start + offset(bytes.byte_len()).unwrap_or(0))
}
