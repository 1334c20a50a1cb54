//! Builds in scripts: `docker build`, `docker buildx build`, and what goes with them.
//!
//! Goes in: a script as a workflow holds it. Comes out: one [`Command`] for each call of docker that matters. Costs one parse. Invariant: an
//! expression of the workflow (`${{ … }}`) is a value that nobody knows.

use super::facts::{Item, Tool};
use crate::rules::call::{Argument, Call, Reader, calls};
use crate::shell;
use crate::source::Span;

/// Stands in for an expression, followed by as many `_` as it was longer.
const EXPRESSION: &str = "GHEXPR";

/// A call of docker.
#[derive(Clone, Debug)]
pub enum Command {
    Build(Box<Given>),
    Push,
    Rename,
    Bake,
    /// `docker buildx create` with a driver that is elsewhere.
    Remote,
    /// `docker buildx create` or `use`.
    Builder,
}

/// What a build is given.
#[derive(Clone, Debug)]
pub struct Given {
    pub tool: Tool,
    /// Where the call stands in the script.
    pub span: Span,
    /// The folder it runs in, below that of the step; `None` where nobody knows.
    pub dir: Option<String>,
    pub file: Option<String>,
    pub context: Option<String>,
    pub target: Option<String>,
    pub platforms: Option<String>,
    /// Places are in the script.
    pub tags: Vec<Item>,
    pub cache_from: Vec<Item>,
    pub cache_to: Vec<Item>,
    pub pushes: bool,
    pub labelled: bool,
    pub no_cache: bool,
    pub opaque: bool,
}

/// The script with expressions put out of sight, byte for byte.
fn plain(script: &str) -> String {
    let mut out = String::with_capacity(script.len());
    let mut rest = script;
    while let Some(at) = rest.find("${{") {
        let Some(end) = rest[at..].find("}}").map(|n| at + n + 2) else {
            break;
        };
        out.push_str(&rest[..at]);
        let len = end - at;
        out.push_str(
            EXPRESSION
                .get(..len.min(EXPRESSION.len()))
                .unwrap_or_default(),
        );
        out.extend(std::iter::repeat_n(
            '_',
            len.saturating_sub(EXPRESSION.len()),
        ));
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// Every call of docker that matters.
pub fn commands(script: &str) -> Vec<Command> {
    if !script.contains("docker") {
        return Vec::new();
    }
    let text = plain(script);
    let parsed = shell::parse(&text);
    let reader = Reader {
        place: &|span| span,
        lookup: &|_| None,
        text: &text,
    };
    let mut dir = Some(String::new());
    let mut out = Vec::new();
    for call in calls(&parsed, &reader) {
        if call.program == "cd" || call.program == "pushd" {
            let to = call.verb().and_then(|a| known(a));
            dir = match (dir, to) {
                (Some(dir), Some(to)) if !to.starts_with(['/', '~', '-']) => {
                    crate::project::join(if dir.is_empty() { "." } else { &dir }, to)
                }
                _ => None,
            };
        } else if call.program == "popd" {
            dir = None;
        }
        if call.program == "docker" {
            out.extend(command(&call, script, dir.as_deref()));
        }
    }
    out
}

fn known(argument: &Argument) -> Option<&str> {
    let value = argument.value.as_deref()?;
    (!value.contains(EXPRESSION)).then_some(value)
}

/// The word as the workflow has it.
fn word<'a>(argument: &'a Argument, script: &'a str) -> &'a str {
    match known(argument) {
        Some(value) => value,
        None => {
            let written = script.get(argument.span.range()).unwrap_or(&argument.text);
            written.trim_matches(['"', '\''])
        }
    }
}

fn command(call: &Call, script: &str, dir: Option<&str>) -> Option<Command> {
    let mut words = call.arguments.iter().enumerate();
    let mut verbs = words
        .by_ref()
        .filter(|(_, a)| !a.shown().starts_with('-'))
        .take(2);
    let (at, first) = verbs.next()?;
    let second = verbs.next();
    let second_is = |name: &str| second.is_some_and(|(_, a)| a.shown() == name);
    match first.shown() {
        "build" => Some(build(call, script, dir, Tool::Docker, at + 1)),
        "image" | "builder" if second_is("build") => {
            Some(build(call, script, dir, Tool::Docker, second?.0 + 1))
        }
        "buildx" if second_is("build") || second_is("b") => {
            Some(build(call, script, dir, Tool::Buildx, second?.0 + 1))
        }
        "buildx" if second_is("bake") => Some(Command::Bake),
        "buildx" if second_is("imagetools") => Some(Command::Rename),
        "buildx" if second_is("create") => {
            let elsewhere = call.known().any(|w| {
                ["remote", "kubernetes", "cloud"]
                    .iter()
                    .any(|d| w == *d || w.ends_with(&format!("driver={d}")))
                    || w.contains("tcp://")
                    || w.contains("ssh://")
            });
            Some(match elsewhere {
                true => Command::Remote,
                false => Command::Builder,
            })
        }
        "buildx" if second_is("use") => Some(Command::Builder),
        "push" => Some(Command::Push),
        "image" if second_is("push") => Some(Command::Push),
        "compose" if second_is("push") => Some(Command::Push),
        "tag" | "manifest" => Some(Command::Rename),
        "image" if second_is("tag") => Some(Command::Rename),
        _ => None,
    }
}

/// Options that take no word.
const ALONE: &[&str] = &[
    "--no-cache",
    "--pull",
    "--push",
    "--load",
    "--quiet",
    "-q",
    "--rm",
    "--force-rm",
    "--squash",
    "--compress",
    "--check",
    "--debug",
    "-D",
    "--disable-content-trust",
    "--stream",
    "--help",
];

fn build(call: &Call, script: &str, dir: Option<&str>, tool: Tool, from: usize) -> Command {
    let mut out = Given {
        tool,
        span: call.span,
        dir: dir.map(str::to_owned),
        file: None,
        context: None,
        target: None,
        platforms: None,
        tags: Vec::new(),
        cache_from: Vec::new(),
        cache_to: Vec::new(),
        pushes: false,
        labelled: false,
        no_cache: false,
        opaque: false,
    };
    let mut at = from;
    while let Some(argument) = call.arguments.get(at) {
        at += 1;
        let text = word(argument, script);
        if !text.starts_with('-') || text == "-" {
            // A variable without quotes may be any number of words.
            let bare = known(argument).is_none() && !argument.text.starts_with(['"', '\'']);
            out.opaque |= bare && (out.context.is_some() || text.starts_with('$'));
            out.context = Some(text.to_owned());
            continue;
        }
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some((value.to_owned(), argument.span))),
            None if ALONE.contains(&text) => (text.to_owned(), None),
            None => {
                let next = call.arguments.get(at);
                at += 1;
                let next = next.map(|a| (word(a, script).to_owned(), a.span));
                (text.to_owned(), next)
            }
        };
        out.option(&name, value);
    }
    Command::Build(Box::new(out))
}

impl Given {
    fn option(&mut self, name: &str, value: Option<(String, Span)>) {
        let off = value.as_ref().is_some_and(|(v, _)| v == "false");
        match name {
            "--push" => self.pushes |= !off,
            "--no-cache" | "--no-cache-filter" => self.no_cache |= !off,
            _ => {}
        }
        let Some((text, span)) = value else { return };
        match name {
            "-f" | "--file" => self.file = Some(text),
            "--target" => self.target = Some(text),
            "--platform" => self.platforms = Some(text),
            "-t" | "--tag" => self.tags.push(item(text, span)),
            "--cache-from" => self.cache_from.push(item(text, span)),
            "--cache-to" => self.cache_to.push(item(text, span)),
            "--label" | "--annotation" => self.labelled = true,
            "-o" | "--output" => self.pushes |= pushes(&text),
            _ => {}
        }
    }
}

fn item(text: String, span: Span) -> Item {
    Item {
        value: text.clone(),
        text,
        span,
    }
}

/// Whether an output goes to a registry.
pub fn pushes(output: &str) -> bool {
    output.contains("type=registry") || output.contains("push=true") || output.starts_with("$")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builds(script: &str) -> Vec<Given> {
        let one = |c: Command| match c {
            Command::Build(given) => Some(*given),
            _ => None,
        };
        commands(script).into_iter().filter_map(one).collect()
    }

    #[test]
    fn options_and_places() {
        let script = "cd app && docker buildx build -f D --cache-to type=gha,mode=max \\\n  --tag=${{ env.IMG }}:latest -t \"a:$V\" --push .\n";
        let [one] = &builds(script)[..] else { panic!() };
        assert_eq!(one.dir.as_deref(), Some("app"));
        assert_eq!(one.file.as_deref(), Some("D"));
        assert_eq!(one.context.as_deref(), Some("."));
        assert_eq!(one.cache_to[0].text, "type=gha,mode=max");
        assert_eq!(&script[one.cache_to[0].span.range()], "type=gha,mode=max");
        assert_eq!(one.tags[0].text, "${{ env.IMG }}:latest");
        assert_eq!(one.tags[1].text, "a:$V");
        assert!(one.pushes && !one.opaque);
        assert!(builds("docker build $ARGS .")[0].opaque);
        assert!(builds("echo docker build .").is_empty());
    }
}
