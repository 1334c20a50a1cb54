//! Builds that compose files describe.
//!
//! Goes in: the first compose file at the root and the first override file, in the order in which
//! the compose command looks for them, what they include and extend, and `.env` beside them. Comes
//! out: one build per service that has one, by service name, and notes on what was left out. Cost:
//! one bounded parse a file. Invariant: what is unknown is passed over, never an error; the process
//! environment is not read.
//!
//! Where `docker buildx bake` reads compose files in another way, this follows the compose command:
//! bake merges all default names and no override file, takes valueless args from `environment:` of the
//! service, replaces dots in names, takes a limit of one number for 0, and adds `x-bake` fields.

mod flags;
mod model;
mod service;
mod yaml;

use super::files::Files;
use super::interpolate::Environment;
use super::{Build, Located};
use crate::source::Span;
use model::Loader;
use service::{BuildMap, Service};

/// In the order of preference; only the first one counts.
const NAMES: [&str; 4] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
];

/// Of these too the first one counts, and only beside one of the above.
const OVERRIDES: [&str; 4] = [
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

/// Every build of the compose files, with the name of the file that the service stands in.
pub(super) fn read(files: &dyn Files, diagnostics: &mut Vec<Located>) -> Vec<(String, Build)> {
    let mut loader = Loader::new(files, diagnostics);
    let mut chosen = Vec::new();
    for names in [NAMES, OVERRIDES] {
        let mut present = names.into_iter().filter(|name| files.is_file(name));
        let Some(file) = present.next() else {
            break;
        };
        for other in present {
            let message = format!("{other} is not read, because {file} is there");
            let code = "project/second-compose-file";
            loader.say(other, code, message, Span::default());
        }
        chosen.push(file.to_owned());
    }
    if chosen.is_empty() {
        return Vec::new();
    }
    let mut environment = Environment::new();
    loader.environment(".env", &mut environment);
    let services = loader.project(&chosen, ".", &environment, &mut Vec::new());
    let mut builds = Vec::new();
    for (name, mut service) in services {
        let Some(build) = service.build.take() else {
            continue;
        };
        let origin = match service.profiles.as_slice() {
            [] => format!("{}: service {name}", service.file),
            [profile] => format!("{}: service {name} (profile {profile})", service.file),
            many => format!(
                "{}: service {name} (profiles {})",
                service.file,
                many.join(", ")
            ),
        };
        let file = service.file.clone();
        if let Some(reason) = &service.broken {
            let message = format!("{origin} is left out: {reason}");
            loader.say(&file, "project/unknown-variable", message, service.span);
            continue;
        }
        let build = finish(&name, service, build, origin, &environment, &mut loader);
        builds.push((file, build));
    }
    builds
}

/// Args without a value take it from `.env`, or are left out, as they would be where nothing is set.
fn finish(
    name: &str,
    service: Service,
    build: BuildMap,
    origin: String,
    environment: &Environment,
    loader: &mut Loader<'_>,
) -> Build {
    for variable in &service.unset {
        let message =
            format!("{origin}: {variable} has no value and no default here, and is taken as empty");
        loader.say(
            &service.file,
            "project/unset-variable",
            message,
            service.span,
        );
    }
    let (run, no_cache) = (build.run_flags(), build.stages_without_cache());
    let mut args = Vec::new();
    for (arg, value) in build.args {
        match value.or_else(|| environment.get(&arg).cloned()) {
            Some(value) => args.push((arg, value)),
            None => {
                let message = format!(
                    "{origin}: the argument {arg} is left out: it comes from the environment"
                );
                loader.say(
                    &service.file,
                    "project/unknown-argument",
                    message,
                    service.span,
                );
            }
        }
    }
    // The service runs on `platform`, whatever else it is built for.
    let mut platforms: Vec<String> = service.platform.into_iter().collect();
    platforms.extend(build.platforms);
    platforms.retain(|platform| !platform.is_empty());
    Build {
        id: format!("service:{name}"),
        context: build.context,
        dockerfile: build.dockerfile,
        inline: build.inline,
        stage: build.target,
        args,
        volatile: Vec::new(),
        contexts: build.contexts.into_iter().collect(),
        platforms,
        run,
        no_cache,
        origin,
        span: service.span,
    }
}
