//! Maven. Its plugins run what the project says; tests, which do anything, are not described.

use super::super::Extent;
use super::super::argument::Argument;
use super::super::options::{Parsed, Spec, parse};
use super::{Call, Described, common, java};

#[rustfmt::skip]
const MAVEN: Spec = Spec {
    letters: "BqoUeXNVCc",
    letters_with_value: "DPTfs",
    names: &[
        "batch-mode", "quiet", "offline", "update-snapshots", "errors", "no-transfer-progress",
        "also-make", "fail-never", "fail-fast", "fail-at-end", "show-version", "non-recursive",
        "strict-checksums", "ntp", "am", "fae", "fn",
    ],
    names_with_value: &[
        "define", "activate-profiles", "threads", "file", "settings", "global-settings",
        "projects", "color", "pl", "gs",
    ],
};

/// Describes Maven.
pub(super) fn run(call: &mut Call<'_>) -> Described {
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
        .map(java::with_long_property)
        .collect();
    let parsed = parse(&arguments, &MAVEN)?;
    common::no_values(&parsed, MAVEN.names)?;
    java::settings(call, &["MAVEN_OPTS", "MAVEN_ARGS", "MAVEN_DEBUG_OPTS"])?;
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
    java::properties(&rest, &["D", "define"])?;
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
        java::builds(call, &directory);
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
    java::builds(call, &directory);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::lines::{Line, check};

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
        ("mvn --version", "", "", ""),
    ];

    #[test]
    fn maven_has_its_footprints() {
        check(LINES);
    }
}
