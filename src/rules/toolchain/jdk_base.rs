//! A JDK where what is started is a jar.

use super::is_shipped;
use crate::diagnostic::Severity;
use crate::dockerfile::{CommandForm, Kind};
use crate::plan::image_name;
use crate::rewrite::Safety;
use crate::rules::{Check, FileEdit, Findings, Rule, View};

/// `jdk-base`.
pub static RULE: Rule = Rule {
    name: "jdk-base",
    severity: Severity::Warning,
    summary: "the image starts a jar and stands on a JDK, where a JRE would do",
    also: &[],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let Some((base, image)) = view.bottom() else {
        return;
    };
    if !is_shipped(view) || !starts_jar(view) || uses_jdk(view) {
        return;
    }
    let name = image_name(base);
    let tag = base.rsplit_once(':').map_or("latest", |(_, t)| t);
    let tag = tag.split('@').next().unwrap_or(tag);
    let family = match name.as_str() {
        "docker.io/library/eclipse-temurin" if !tag.contains("jre") => "eclipse-temurin",
        "docker.io/library/openjdk" if !tag.contains("jre") => "openjdk",
        "docker.io/library/amazoncorretto" if !tag.contains("headless") => "amazoncorretto",
        "docker.io/library/ibm-semeru-runtimes" if tag.contains("jdk") => "ibm-semeru-runtimes",
        _ => return,
    };
    let message = format!("`{base}` is a JDK, and what the image starts is a jar: a JRE runs it");
    let help = match family {
        "eclipse-temurin" => {
            "take the `-jre` variant of the same tag, or a runtime made with jlink"
        }
        "openjdk" => {
            "these images have no JRE any more and get no updates: `eclipse-temurin:…-jre` has, or make a runtime with jlink"
        }
        "amazoncorretto" => {
            "take the `-headless` variant where there is one, or make a runtime with jlink"
        }
        _ => "take the `open-…-jre` variant of the same tag",
    };
    let finding = out.at(image.span(), message);
    finding.help(help);
    // Only a tag that is written here can be changed here, and only one whose variant is sure to be there.
    if family == "eclipse-temurin" && tag.contains("-jdk") && !base.contains('@') {
        let text = view.source.text(image.span());
        if let Some(at) = text.find("-jdk").filter(|_| !text.contains('$')) {
            let start = image.span().start + u32::try_from(at).unwrap_or(0);
            let span = crate::source::Span {
                start,
                end: start + 4,
            };
            finding.fix(Safety::Review, vec![FileEdit::here(span, "-jre")]);
        }
    }
}

/// The commands that the image starts.
fn commands<'a>(view: &View<'a>) -> Vec<CommandForm<'a>> {
    let stages = view.image_stages();
    let all = stages.iter().flat_map(|s| view.instructions(*s));
    let one = all.into_iter().filter_map(|(_, i)| match i.kind() {
        Kind::Cmd(c) | Kind::Entrypoint(c) => Some(c),
        _ => None,
    });
    one.collect()
}

fn starts_jar(view: &View<'_>) -> bool {
    let jar = |text: &str| text.contains("java") && text.contains(".jar");
    commands(view).iter().any(|c| match c {
        CommandForm::Shell(text) => jar(text),
        CommandForm::Exec(argv) => {
            let all: Vec<&str> = argv.iter().map(|a| a.as_str()).collect();
            jar(&all.join(" "))
        }
    })
}

/// Whether a RUN of the image, or what it starts, asks for a tool that a JRE has not.
fn uses_jdk(view: &View<'_>) -> bool {
    const TOOLS: &[&str] = &[
        "javac", "jar", "jlink", "jdeps", "jmap", "jstack", "jcmd", "jpackage", "mvn", "mvnw",
        "gradle", "gradlew", "ant", "sbt", "javap",
    ];
    let stages = view.image_stages();
    let runs = view
        .runs
        .iter()
        .filter(|r| r.stage.is_some_and(|s| stages.contains(&s)));
    runs.into_iter().any(|r| {
        r.script.has_unknown() || r.calls.iter().any(|c| TOOLS.contains(&c.program.as_str()))
    })
}
