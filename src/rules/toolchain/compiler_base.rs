//! An image that is shipped and stands on the image of a compiler.

use super::is_shipped;
use crate::diagnostic::Severity;
use crate::dockerfile::{CommandForm, Kind};
use crate::plan::image_name;
use crate::rules::{Check, Findings, Rule, View};

/// `compiler-base`.
pub static RULE: Rule = Rule {
    name: "compiler-base",
    severity: Severity::Warning,
    summary: "the image that is shipped stands on the image of a compiler",
    also: &[],
    check: Check::Dockerfile(check),
};

/// Image, what it is, and what its programs need.
const COMPILERS: &[(&str, &str, &str)] = &[
    (
        "docker.io/library/golang",
        "the Go toolchain",
        "a static binary needs `scratch` or `gcr.io/distroless/static`",
    ),
    (
        "docker.io/library/rust",
        "the Rust toolchain",
        "a binary needs the C library it was built with: `debian:…-slim`, or `scratch` for musl",
    ),
    (
        "docker.io/library/gcc",
        "GCC",
        "a binary needs the C library it was built with: `debian:…-slim`",
    ),
    (
        "docker.io/library/maven",
        "Maven and a JDK",
        "a jar needs a JRE, such as `eclipse-temurin:21-jre`",
    ),
    (
        "docker.io/library/gradle",
        "Gradle and a JDK",
        "a jar needs a JRE, such as `eclipse-temurin:21-jre`",
    ),
    (
        "docker.io/library/swift",
        "the Swift toolchain",
        "a binary needs `swift:…-slim`",
    ),
    (
        "docker.io/library/haskell",
        "GHC",
        "a binary needs the C library and libgmp: `debian:…-slim`",
    ),
    (
        "mcr.microsoft.com/dotnet/sdk",
        "the .NET SDK",
        "a published program needs `mcr.microsoft.com/dotnet/aspnet` or `…/runtime`",
    ),
];

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let Some((base, image)) = view.bottom() else {
        return;
    };
    let name = image_name(base);
    let Some((_, what, needs)) = COMPILERS.iter().find(|(n, ..)| *n == name) else {
        return;
    };
    if !is_shipped(view) || base.contains("-slim") || starts_compiler(view) {
        return;
    }
    let message =
        format!("the image holds {what}: it stands on `{base}`, which programs do not need to run");
    out.at(image.span(), message).help(format!(
        "build in this stage, and copy what it made into another: {needs}"
    ));
}

/// Whether what the image starts is the compiler itself: a tool for developers.
fn starts_compiler(view: &View<'_>) -> bool {
    const TOOLS: &[&str] = &[
        "go",
        "cargo",
        "mvn",
        "gradle",
        "gcc",
        "make",
        "dotnet",
        "swift",
        "ghci",
        "stack",
        "cabal",
        "bash",
        "sh",
        "gopls",
        "golangci-lint",
    ];
    let stages = view.image_stages();
    let of = |stage: &usize| -> Vec<String> {
        let commands = view
            .instructions(*stage)
            .filter_map(|(_, i)| match i.kind() {
                Kind::Cmd(c) | Kind::Entrypoint(c) => Some(c),
                _ => None,
            });
        let first = |c: CommandForm<'_>| match c {
            CommandForm::Exec(argv) => argv
                .first()
                .map(|a| (a.to_string(), argv.get(1).map(|b| b.to_string()))),
            CommandForm::Shell(text) => {
                let mut words = text.split_whitespace().map(str::to_owned);
                words.next().map(|a| (a, words.next()))
            }
        };
        // `dotnet app.dll` is the program, not the SDK.
        let runs = |(a, b): (String, Option<String>)| match b {
            Some(b) if a == "dotnet" && b.ends_with(".dll") => None,
            _ => Some(a),
        };
        commands.filter_map(first).filter_map(runs).collect()
    };
    let all: Vec<String> = stages.iter().flat_map(of).collect();
    let base = |a: &String| a.rsplit('/').next().unwrap_or_default().to_owned();
    all.iter().any(|a| TOOLS.contains(&base(a).as_str()))
}
