//! Gradle and sbt, and what Maven has in common with them. Plugins and build scripts run code of the project; that it stays inside is an
//! assumption, and tests, which do anything, are not described. `./mvnw` and `./gradlew` are files of the context: that they
//! are the wrappers which Maven and Gradle make is looked up by whoever has the context (`rewrite::needs`).

use super::super::Extent;
use super::super::argument::Argument;
use super::super::claims::Claims;
use super::super::options::{Parsed, Spec, parse};
use super::super::path_set::resolve;
use super::{Call, Described, common};

#[rustfmt::skip]
const GRADLE: Spec = Spec {
    letters: "qiswdS",
    letters_with_value: "xDPpb",
    names: &[
        "no-daemon", "daemon", "stacktrace", "full-stacktrace", "info", "warn", "quiet", "debug",
        "parallel", "no-parallel", "build-cache", "no-build-cache", "refresh-dependencies",
        "offline", "no-watch-fs", "configuration-cache", "no-configuration-cache", "continue",
        "no-scan", "scan", "configure-on-demand", "rerun-tasks",
    ],
    names_with_value: &[
        "define", "console", "max-workers", "warning-mode", "exclude-task", "gradle-user-home",
        "project-cache-dir", "project-dir", "project-prop", "system-prop",
    ],
};

/// The absolute path of a wrapper script in a project.
pub(in crate::footprint) fn wrapper(path: &str, cwd: Option<&str>) -> Option<String> {
    let (_, name) = path.rsplit_once('/')?;
    matches!(name, "mvnw" | "gradlew")
        .then(|| resolve(cwd, path))
        .flatten()
}

/// What a wrapper starts.
pub(in crate::footprint) fn wrapped(path: &str) -> &'static str {
    match path.ends_with("mvnw") {
        true => "mvn",
        false => "gradle",
    }
}

/// The files of a wrapper: its script, and what it says which version to fetch with.
pub(in crate::footprint) fn read_wrapper(claims: &mut Claims, script: &str) {
    let folder = script.rsplit_once('/').map_or("", |(f, _)| f);
    claims.read(Extent::Exact, script);
    claims.read(
        Extent::Subtree,
        format!("{folder}/{}", wrapper_folder(script)),
    );
    claims.network = true;
    claims.assume(format!(
        "{script} is the wrapper as the tool itself makes it"
    ));
}

/// Where a wrapper has its own files, beside the script.
#[must_use]
pub fn wrapper_folder(script: &str) -> &'static str {
    match script.ends_with("mvnw") {
        true => ".mvn",
        false => "gradle/wrapper",
    }
}

/// Options of Java's launcher that change no file.
fn only_tunes(options: &str) -> bool {
    options.split_whitespace().all(|o| {
        let limits = [
            "-Xm",
            "-Xs",
            "-XX:",
            "-server",
            "-client",
            "--add-opens=",
            "--enable-native-access=",
        ];
        let file = o.contains('/') && !o.contains("://");
        (limits.iter().any(|l| o.starts_with(l)) && !file)
            || o.strip_prefix("-D").is_some_and(is_plain_property)
    })
}

/// Properties that surely name no file: they have no path in them, nor in their name.
fn is_plain_property(text: &str) -> bool {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let name = name.to_ascii_lowercase();
    let places = [
        "dir", "file", "path", "repo", "output", "location", "dest", "home", "target", "settings",
    ];
    !places.iter().any(|p| name.contains(p))
        && (!value.contains(['/', '$']) || value.contains("://"))
}

/// Refuses variables that a Java program takes options from.
pub(super) fn settings(call: &mut Call<'_>, names: &[&str]) -> Described {
    for name in ["JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS"]
        .iter()
        .chain(names)
    {
        if call.setting(name)?.is_some_and(|v| !only_tunes(&v)) {
            return Err(format!("{name} is set"));
        }
    }
    Ok(())
}

/// Values of properties: known to name no file, or not known and harmless by name.
pub(super) fn properties(parsed: &Parsed, options: &[&str]) -> Result<(), String> {
    for value in parsed.values(options) {
        let plain = match value {
            Argument::Known(text) | Argument::Pattern { text, .. } => is_plain_property(text),
            Argument::Unknown { prefix } => {
                let name = prefix
                    .split('=')
                    .next()
                    .unwrap_or_default()
                    .to_ascii_lowercase();
                prefix.contains('=') && (name.contains("version") || name.contains("revision"))
            }
        };
        if !plain {
            return Err(format!("property {} is not known", value.shown()));
        }
    }
    Ok(())
}

/// `-Dname=$VALUE` with its long name, so that it parses.
pub(super) fn with_long_property(argument: Argument) -> Argument {
    match argument {
        Argument::Unknown { prefix } => Argument::Unknown {
            prefix: match (prefix.strip_prefix("-D"), prefix.strip_prefix("-P")) {
                (Some(rest), _) => format!("--define={rest}"),
                (_, Some(rest)) => format!("--project-prop={rest}"),
                _ => prefix,
            },
        },
        known => known,
    }
}

/// The whole project, read and written.
pub(super) fn builds(call: &mut Call<'_>, directory: &str) {
    call.read_tree(directory);
    call.claims
        .write(Extent::Subtree, common::top_of(directory));
    let name = call.name;
    call.claims.assume(format!(
        "{name}'s plugins and the project's build files touch only the project, the home directory and /tmp"
    ));
}

/// Describes Gradle.
pub(super) fn gradle(call: &mut Call<'_>) -> Described {
    if call.asks() {
        return Ok(());
    }
    let arguments: Vec<Argument> = call
        .arguments
        .iter()
        .cloned()
        .map(with_long_property)
        .collect();
    let parsed = parse(&arguments, &GRADLE)?;
    common::no_values(&parsed, GRADLE.names)?;
    settings(call, &["GRADLE_OPTS", "JAVA_OPTS"])?;
    call.refuse(|n| n.starts_with("ORG_GRADLE_PROJECT_"))?;
    properties(
        &parsed,
        &["D", "P", "define", "project-prop", "system-prop"],
    )?;
    let directory = call.directory_of(&parsed, &["p", "project-dir"])?;
    if parsed.has(&["b"]) {
        return Err("option -b is not known".to_string());
    }
    let tasks = common::texts(&parsed.operands)?;
    let untested = parsed
        .values(&["x", "exclude-task"])
        .any(|v| matches!(v.known(), Some("test" | ":test")));
    for task in &tasks {
        let name = task.rsplit(':').next().unwrap_or(task);
        match name {
            "clean" | "assemble" | "bootJar" | "bootWar" | "jar" | "war" | "shadowJar"
            | "classes" | "compileJava" | "compileKotlin" | "installDist" | "distTar"
            | "distZip" | "testClasses" | "dependencies" | "buildEnvironment" | "fatJar"
            | "uberJar" | "help" | "tasks" => {}
            "build" if untested => {}
            "build" | "test" | "check" => return Err("it runs the project's tests".to_string()),
            _ => return Err(format!("what `{task}` does is not known")),
        }
    }
    call.tool(&[".gradle", ".kotlin", ".konan", ".m2"])?;
    call.claims.network |= !parsed.has(&["offline"]);
    call.moved(&[
        "GRADLE_USER_HOME",
        "GRADLE_HOME",
        "JAVA_HOME",
        "GRADLE_RO_DEP_CACHE",
    ])?;
    // The images of Gradle keep a link there.
    call.keep_in("/home/gradle")?;
    call.keep_in_values(&parsed, &["gradle-user-home", "project-cache-dir"])?;
    builds(call, &directory);
    Ok(())
}

/// Describes sbt.
pub(super) fn sbt(call: &mut Call<'_>) -> Described {
    settings(call, &["SBT_OPTS", "JAVA_OPTS"])?;
    for text in common::texts(call.arguments)? {
        let plain = matches!(
            text,
            "-batch" | "-no-colors" | "-v" | "-d" | "--batch" | "-error" | "-warn"
        ) || text.strip_prefix("-D").is_some_and(is_plain_property)
            || text.strip_prefix("-J").is_some_and(only_tunes);
        if text.starts_with('-') {
            if !plain {
                return Err(format!("option {text} is not known"));
            }
            continue;
        }
        for task in text.split(';').flat_map(str::split_whitespace) {
            let name = task.rsplit([':', '/']).next().unwrap_or(task);
            let known = [
                "clean",
                "compile",
                "update",
                "reload",
                "package",
                "packageBin",
                "stage",
                "dist",
                "exit",
                "assembly",
                "universal",
            ];
            if !known.contains(&name) {
                return Err(format!("what `{task}` does is not known"));
            }
        }
        if text.contains("assembly") {
            call.claims.assume("no test is part of sbt's assembly");
        }
    }
    if call.arguments.is_empty() {
        return Err("it reads its commands from elsewhere".to_string());
    }
    call.tool(&[".sbt", ".ivy2", ".coursier", ".m2"])?;
    call.claims.network = true;
    call.moved(&[
        "COURSIER_CACHE",
        "COURSIER_CONFIG_DIR",
        "SBT_HOME",
        "JAVA_HOME",
    ])?;
    let directory = call.directory()?.to_string();
    builds(call, &directory);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::lines::{Line, check};

    #[rustfmt::skip]
    const LINES: &[Line] = &[
        ("JAVA_TOOL_OPTIONS=@/x gradle jar", "JAVA_TOOL_OPTIONS is set", "", ""),
        ("gradle build -x test --no-daemon", "", "net /app/** /root/** /opt/**", "/app/** /home/gradle/** /root/** tmp"),
        ("gradle :web:bootJar -Pversion=1 --gradle-user-home /g", "", "net /g/**", "/app/** /g/** /home/gradle/** /root/** tmp"),
        ("GRADLE_USER_HOME=/g gradle dependencies --offline", "", "/g/**", "/app/** /g/** /home/gradle/** /root/** tmp"),
        ("gradle build", "tests", "", ""),
        ("gradle run", "`run`", "", ""),
        ("gradle -I x.gradle jar", "option -I", "", ""),
        ("./gradlew build -x test", "", "net /app/** /app/gradlew /app/gradle/wrapper/** /root/** /opt/**", "/app/** /home/gradle/** /root/** tmp"),
        ("/x/mvnw package -DskipTests", "", "net /app/** /root/** /opt/** /x/mvnw /x/.mvn/**", "/app/** /root/** tmp"),
        ("./gradlew test", "tests", "", ""),
        ("sbt -batch update 'clean; compile' stage", "", "net /app/**", "/app/** /root/** tmp"),
        ("COURSIER_CACHE=/c sbt compile", "", "net /c/**", "/app/** /c/** /root/** tmp"),
        ("sbt 'set x := 1' compile", "`set`", "", ""),
        ("sbt test", "`test`", "", ""),
        ("sbt -Dsbt.global.base=/x/dir compile", "option", "", ""),
    ];

    #[test]
    fn java_has_its_footprints() {
        check(LINES);
    }
}
