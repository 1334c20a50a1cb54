//! Compilers, headers and build systems that a package manager puts into the image that is shipped.

use super::is_shipped;
use crate::diagnostic::Severity;
use crate::footprint::Class;
use crate::rules::call::Call;
use crate::rules::{Check, Findings, Rule, Run, View};
use crate::source::Span;

/// `build-tools`.
pub static RULE: Rule = Rule {
    name: "build-tools",
    severity: Severity::Note,
    summary: "compilers or headers are installed in the image that is shipped, and stay there",
    also: &[],
    check: Check::Dockerfile(check),
};

/// Packages that only build things. What programs need while they run (`git`, `curl`, `python3`) is not among them.
const TOOLS: &[&str] = &[
    "build-essential",
    "build-base",
    "alpine-sdk",
    "base-devel",
    "gcc",
    "g++",
    "gcc-c++",
    "clang",
    "make",
    "cmake",
    "ninja",
    "ninja-build",
    "meson",
    "automake",
    "autoconf",
    "libtool",
    "pkg-config",
    "pkgconf",
    "bison",
    "flex",
    "nasm",
    "yasm",
    "cargo",
    "rust",
    "rustc",
    "golang",
    "golang-go",
    "go",
    "maven",
    "gradle",
    "ant",
    "python3-dev",
    "python-dev",
    "python3-devel",
    "ruby-dev",
    "ruby-devel",
    "linux-headers",
    "musl-dev",
    "libc-dev",
    "libc6-dev",
    "kernel-headers",
    "gfortran",
    "swig",
    "node-gyp",
    "dpkg-dev",
    "rpm-build",
    "libffi-dev",
    "libssl-dev",
    "openssl-dev",
    "zlib1g-dev",
    "zlib-dev",
    "libpq-dev",
    "postgresql-dev",
    "libxml2-dev",
    "libjpeg-dev",
    "libpng-dev",
];

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    if !is_shipped(view) {
        return;
    }
    let stages = view.image_stages();
    let in_image = |r: &&Run<'_>| r.stage.is_some_and(|s| stages.contains(&s));
    let removes: Vec<usize> = view
        .runs
        .iter()
        .filter(in_image)
        .filter(|r| r.calls.iter().any(is_removal))
        .map(|r| r.instruction)
        .collect();
    for run in view.runs.iter().filter(in_image) {
        // What the same RUN removes is in no layer.
        if run.step.is_none() || removes.contains(&run.instruction) || has_reason(view, run) {
            continue;
        }
        for call in run.calls.iter().filter(|c| c.always && is_install(c)) {
            let names = call
                .operands_behind_verb()
                .filter_map(|a| a.value.as_deref());
            let found: Vec<&str> = names.filter(|n| is_tool(n)).collect();
            let virtual_ = call.has_option("--virtual") || call.has("-t");
            if found.is_empty() || virtual_ && !removes.is_empty() {
                continue;
            }
            let shown: Vec<String> = found.iter().take(4).map(|n| format!("`{n}`")).collect();
            let more = match found.len().checked_sub(shown.len()) {
                Some(n) if n > 0 => format!(" and {n} more"),
                _ => String::new(),
            };
            let verb = if found.len() == 1 { "stays" } else { "stay" };
            let message = format!(
                "{}{more} {verb} in the image that is shipped",
                shown.join(", ")
            );
            out.at(call.span, message).help(sketch(view, run));
        }
    }
}

/// Whether a comment of the instruction says that its packages are for run time.
fn has_reason(view: &View<'_>, run: &Run<'_>) -> bool {
    let ins = view.tree.instructions().at(run.instruction);
    let above = ins.leading_comments.start.min(ins.span.start);
    let all = Span {
        start: above,
        end: ins.span.end,
    };
    let text = view.source.text(all);
    let mut comments = text.lines().filter(|l| l.trim_start().starts_with('#'));
    comments.any(|l| {
        let l = l.to_lowercase();
        ["runtime", "run time", "run-time", "at run"]
            .iter()
            .any(|w| l.contains(w))
    })
}

/// The stage that the tools belong in.
fn sketch(view: &View<'_>, run: &Run<'_>) -> String {
    // Where something is copied from a stage that builds, the tools are only left over, unless a later RUN of this stage may compile.
    let compiles = |r: &Run<'_>| {
        let may = |c: &Class| matches!(c, Class::Install | Class::Build);
        r.stage == run.stage
            && r.instruction > run.instruction
            && r.step.is_some_and(|s| s.classes.iter().any(may))
    };
    let here = view.runs.iter().any(compiles);
    let copied = run.stage.into_iter().flat_map(|s| view.instructions(s));
    let from = copied.filter_map(|(_, i)| i.flag("from"));
    let mut from = from.filter(|_| !here);
    if let Some(stage) = from.find(|f| {
        view.plan
            .stages
            .iter()
            .any(|s| s.name.as_deref() == Some(&f.to_lowercase()))
    }) {
        return format!(
            "leave them out here, if nothing is compiled any more: what is built comes from the stage `{stage}`"
        );
    }
    let base = run
        .stage
        .and_then(|s| view.base_image(s))
        .unwrap_or("the base image");
    let name = match view
        .plan
        .stages
        .iter()
        .any(|s| s.name.as_deref() == Some("build"))
    {
        true => "tools",
        false => "build",
    };
    format!(
        "build in a stage of its own and copy what it made: `FROM {base} AS {name}` with this RUN and what compiles, then in this stage `COPY --from={name} …`"
    )
}

fn is_install(call: &Call) -> bool {
    match call.program.as_str() {
        "apt-get" | "apt" | "aptitude" | "dnf" | "yum" | "microdnf" | "zypper" => {
            call.does(&["install"])
        }
        "apk" => call.does(&["add"]),
        _ => false,
    }
}

fn is_removal(call: &Call) -> bool {
    match call.program.as_str() {
        "apt-get" | "apt" | "dnf" | "yum" | "microdnf" | "zypper" => {
            call.does(&["remove", "purge", "autoremove", "autopurge", "erase"])
                || call.has("--purge")
        }
        "apk" => call.does(&["del"]),
        "docker-php-ext-install" => false,
        _ => false,
    }
}

fn is_tool(package: &str) -> bool {
    let name = package
        .split(['=', ':', '~', '<', '>'])
        .next()
        .unwrap_or(package);
    let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    TOOLS.contains(&name) || TOOLS.contains(&bare)
}
