//! Maven, Gradle and sbt. Plugins and build scripts run code of the project; that it stays inside is an
//! assumption, and tests, which do anything, are not described. `./mvnw` and `./gradlew` are files of
//! the context and stay programs that nobody knows.

use super::super::Extent;
use super::super::argument::Argument;
use super::super::options::{Parsed, Spec, parse};
use super::{Call, Described, common};

const MAVEN: Spec = Spec {
    letters: "BqoUeXNVCc",
    letters_with_value: "DPTfs",
    names: &[
        "batch-mode",
        "quiet",
        "offline",
        "update-snapshots",
        "errors",
        "no-transfer-progress",
        "also-make",
        "fail-never",
        "fail-fast",
        "fail-at-end",
        "show-version",
        "non-recursive",
        "strict-checksums",
        "ntp",
        "am",
        "fae",
        "fn",
    ],
    names_with_value: &[
        "define",
        "activate-profiles",
        "threads",
        "file",
        "settings",
        "global-settings",
        "projects",
        "color",
        "pl",
        "gs",
    ],
};

const GRADLE: Spec = Spec {
    letters: "qiswdS",
    letters_with_value: "xDPpb",
    names: &[
        "no-daemon",
        "daemon",
        "stacktrace",
        "full-stacktrace",
        "info",
        "warn",
        "quiet",
        "debug",
        "parallel",
        "no-parallel",
        "build-cache",
        "no-build-cache",
        "refresh-dependencies",
        "offline",
        "no-watch-fs",
        "configuration-cache",
        "no-configuration-cache",
        "continue",
        "no-scan",
        "scan",
        "configure-on-demand",
        "rerun-tasks",
    ],
    names_with_value: &[
        "define",
        "console",
        "max-workers",
        "warning-mode",
        "exclude-task",
        "gradle-user-home",
        "project-cache-dir",
        "project-dir",
        "project-prop",
        "system-prop",
    ],
};

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
fn settings(call: &mut Call<'_>, names: &[&str]) -> Described {
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
fn properties(parsed: &Parsed, options: &[&str]) -> Result<(), String> {
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
fn with_long_property(argument: Argument) -> Argument {
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
fn builds(call: &mut Call<'_>, directory: &str) {
    call.read_tree(directory);
    call.claims
        .write(Extent::Subtree, common::top_of(directory));
    let name = call.name;
    call.claims.assume(format!(
        "{name}'s plugins and the project's build files touch only the project, the home directory and /tmp"
    ));
}

/// Describes Maven.
pub(super) fn maven(call: &mut Call<'_>) -> Described {
    if call.asks() {
        return Ok(());
    }
    // These have one dash and many letters.
    let long = |a: &Argument| match a.known() {
        Some(t @ ("-ntp" | "-am" | "-fae" | "-fn" | "-pl" | "-gs")) => {
            Argument::Known(format!("-{t}"))
        }
        _ => a.clone(),
    };
    let arguments: Vec<Argument> = call
        .arguments
        .iter()
        .map(long)
        .map(with_long_property)
        .collect();
    let parsed = parse(&arguments, &MAVEN)?;
    common::no_values(&parsed, MAVEN.names)?;
    settings(call, &["MAVEN_OPTS", "MAVEN_ARGS", "MAVEN_DEBUG_OPTS"])?;
    let local = |a: &&Argument| {
        a.known()
            .is_some_and(|t| t.starts_with("maven.repo.local="))
    };
    let mut rest = Parsed::default();
    for (name, value) in &parsed.options {
        match value {
            Some(v) if (name == "D" || name == "define") && local(&v) => {
                let place = v
                    .known()
                    .and_then(|t| t.split_once('='))
                    .map_or("", |(_, p)| p);
                call.keep_in(place)?;
            }
            _ => rest.options.push((name.clone(), value.clone())),
        }
    }
    properties(&rest, &["D", "define"])?;
    let given = |names: &[&str]| {
        parsed.values(names).filter_map(Argument::known).any(|v| {
            let (_, value) = v.split_once('=').unwrap_or(("", "true"));
            (v.starts_with("skipTests") || v.starts_with("maven.test.skip")) && value != "false"
        })
    };
    let untested = given(&["D", "define"]);
    for file in parsed.values(&["s", "settings", "gs", "global-settings"]) {
        call.read(file, Extent::Exact)?;
    }
    let mut directory = call.directory()?.to_string();
    for file in parsed.values(&["f", "file"]) {
        let text = file.known().ok_or("the project file is not known")?;
        let path = call.resolve(text)?;
        call.claims.read(Extent::Exact, path.clone());
        directory = match path.rsplit_once('/') {
            Some((above, name)) if name.ends_with(".xml") => above.to_string(),
            _ => path,
        };
    }
    call.tool(&[".m2"])?;
    call.moved(&[
        "MAVEN_CONFIG",
        "M2_HOME",
        "MAVEN_HOME",
        "JAVA_HOME",
        "MAVEN_USER_HOME",
    ])?;
    call.claims.network |= !parsed.has(&["o", "offline"]);
    call.read_upwards(&directory, &["pom.xml"]);
    let top = directory.trim_end_matches('/');
    call.claims.read(Extent::Subtree, format!("{top}/.mvn"));
    call.read_upwards(&directory, &[".mvn"]);
    call.claims.assume(
        "Maven's repository is below the home directory or where its options say, and no settings file moves it",
    );
    let goals = common::texts(&parsed.operands)?;
    let fetches = |goal: &&str| {
        let goal = goal.rsplit_once(':').map_or(*goal, |(plugin, goal)| {
            if plugin.contains("dependency") || plugin == "de.qaware.maven:go-offline-maven-plugin"
            {
                goal
            } else {
                ""
            }
        });
        matches!(
            goal,
            "go-offline" | "resolve" | "resolve-plugins" | "resolve-dependencies" | "tree" | "get"
        )
    };
    if goals.is_empty() {
        return Err("the goal is not known".to_string());
    }
    if goals.iter().all(fetches) {
        // Modules are looked at as well, and plugins may make their own files.
        builds(call, &directory);
        return Ok(());
    }
    for goal in &goals {
        match *goal {
            "clean" | "validate" | "compile" | "process-classes" | "process-resources"
            | "test-compile" | "generate-sources" | "initialize" => {}
            "package" | "verify" | "install" | "prepare-package" | "spring-boot:repackage"
                if untested => {}
            "package" | "verify" | "install" | "test" | "prepare-package" => {
                return Err("it runs the project's tests".to_string());
            }
            _ if fetches(goal) || goal.ends_with("dependency:copy-dependencies") => {}
            _ => return Err(format!("what `{goal}` does is not known")),
        }
    }
    builds(call, &directory);
    Ok(())
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
    use super::super::common::lines::{Line, check};

    #[rustfmt::skip]
    const LINES: &[Line] = &[
        ("mvn -B dependency:go-offline", "", "net /app/pom.xml /pom.xml /app/.mvn/** /root/** /opt/**", "/app/** /root/** tmp"),
        ("mvn dependency:resolve -s /s.xml -q", "", "net /s.xml", "/app/** /root/** tmp"),
        ("mvn -f /home/app/pom.xml clean package -DskipTests", "", "net /home/app/** /home/pom.xml", "/home/app/** /root/** tmp"),
        ("mvn -pl web -am dependency:go-offline", "", "net /app/**", "/app/** /root/** tmp"),
        ("mvn -o -ntp package -Dmaven.test.skip=true -Drevision=$V -T 1C -P prod", "", "/app/**", "/app/** /root/** tmp"),
        ("mvn compile -Dmaven.repo.local=/r", "", "net /r/**", "/app/** /r/** /root/** tmp"),
        ("MAVEN_OPTS='-Xmx1g -XX:+UseG1GC' mvn compile", "", "net", "/app/** /root/** tmp"),
        ("mvn package", "tests", "", ""),
        ("mvn package -DskipTests=false", "tests", "", ""),
        ("mvn exec:java", "`exec:java`", "", ""),
        ("mvn deploy -DskipTests", "`deploy`", "", ""),
        ("mvn compile -DoutputDirectory=/x", "property", "", ""),
        ("mvn compile -Dx=$Y", "property", "", ""),
        ("mvn compile --frob", "option --frob", "", ""),
        ("MAVEN_OPTS=-javaagent:/x.jar mvn compile", "MAVEN_OPTS is set", "", ""),
        ("JAVA_TOOL_OPTIONS=@/x gradle jar", "JAVA_TOOL_OPTIONS is set", "", ""),
        ("mvn --version", "", "", ""),
        ("gradle build -x test --no-daemon", "", "net /app/** /root/** /opt/**", "/app/** /home/gradle/** /root/** tmp"),
        ("gradle :web:bootJar -Pversion=1 --gradle-user-home /g", "", "net /g/**", "/app/** /g/** /home/gradle/** /root/** tmp"),
        ("GRADLE_USER_HOME=/g gradle dependencies --offline", "", "/g/**", "/app/** /g/** /home/gradle/** /root/** tmp"),
        ("gradle build", "tests", "", ""),
        ("gradle run", "`run`", "", ""),
        ("gradle -I x.gradle jar", "option -I", "", ""),
        ("./gradlew build -x test", "it runs ./gradlew", "", ""),
        ("./mvnw package -DskipTests", "it runs ./mvnw", "", ""),
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
