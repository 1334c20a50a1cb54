//! Maven, Gradle and sbt. Their home directory is that of the image's list of users, whatever `HOME` says.

use super::{Caller, Folder, Holds, Kept, downloads, join};

fn home(call: &Caller<'_>) -> Result<String, String> {
    for name in [
        "JAVA_TOOL_OPTIONS",
        "_JAVA_OPTIONS",
        "MAVEN_OPTS",
        "MAVEN_ARGS",
        "GRADLE_OPTS",
        "SBT_OPTS",
        "JAVA_OPTS",
    ] {
        let text = call.setting(name)?.unwrap_or_default();
        let moves = [
            "user.home",
            "maven.repo.local",
            "gradle.user.home",
            "ivy.home",
            "sbt.global",
            "sbt.ivy",
            "coursier",
        ];
        if let Some(word) = moves.iter().find(|w| text.contains(**w)) {
            return Err(format!("{name} says something of {word}"));
        }
    }
    call.runner.home.clone()
}

/// `~/.m2/repository`, or what `-Dmaven.repo.local` says.
pub(super) fn maven(call: &Caller<'_>) -> Option<Result<Kept, String>> {
    const PHASES: &[&str] = &[
        "validate",
        "compile",
        "test-compile",
        "test",
        "package",
        "verify",
        "install",
        "deploy",
    ];
    let mut operands = call.operands();
    let runs = operands.any(|o| PHASES.contains(&o) || o.starts_with("dependency:"));
    runs.then(|| {
        call.online(&["-o", "--offline"])?;
        if call.operands().any(|o| matches!(o, "install" | "deploy")) {
            return Err("mvn install leaves the project itself among what was fetched".to_owned());
        }
        if call.has(&["-s", "--settings", "-gs", "--global-settings"])
            || call.arguments.iter().any(|a| a.starts_with("--settings="))
        {
            return Err("settings of its own may move the repository".to_owned());
        }
        call.says_nothing_of(".mvn/maven.config", &["maven.repo.local"])?;
        call.says_nothing_of(".mvn/jvm.config", &["maven.repo.local", "user.home"])?;
        let home = home(call)?;
        let said = call.option(&["-Dmaven.repo.local"])?;
        let folder = match said {
            Some(folder) => call.place(&folder)?,
            None => join(&home, ".m2/repository"),
        };
        Ok(Kept {
            tool: "mvn",
            folders: vec![downloads(folder)],
            locked: true,
            later: true,
            assumptions: vec!["no settings of Maven move its repository".to_owned()],
            ..Kept::default()
        })
    })
}

/// `caches` of GRADLE_USER_HOME.
pub(super) fn gradle(call: &Caller<'_>) -> Option<Result<Kept, String>> {
    let runs = call.command();
    (!runs.is_empty() && !call.has(&["--version", "-v"])).then(|| {
        call.online(&["--offline"])?;
        let user = home(call)?;
        let said = call.option(&["-g", "--gradle-user-home", "-Dgradle.user.home"])?;
        let home = match said {
            Some(folder) => call.place(&folder)?,
            None => match call.folder_of(&["GRADLE_USER_HOME"])? {
                Some(folder) => folder,
                // That of root leads there by a link.
                None if call.image == "docker.io/library/gradle" => {
                    "/home/gradle/.gradle".to_owned()
                }
                None => join(&user, ".gradle"),
            },
        };
        let path = join(&home, "caches");
        let mut folders = vec![downloads(path.clone())];
        if call.has(&["--build-cache"]) {
            folders.push(Folder {
                path,
                holds: Holds::Objects,
            });
        }
        Ok(Kept {
            tool: "gradle",
            folders,
            locked: true,
            later: true,
            ..Kept::default()
        })
    })
}

/// What coursier fetched, and ivy's cache.
pub(super) fn sbt(call: &Caller<'_>) -> Option<Result<Kept, String>> {
    (!call.command().is_empty()).then(|| {
        let home = home(call)?;
        if call
            .arguments
            .iter()
            .any(|a| a.contains("ivy.home") || a.contains("-ivy") || a.contains("offline"))
        {
            return Err("an option may move or need its caches".to_owned());
        }
        let coursier = match call.folder_of(&["COURSIER_CACHE"])? {
            Some(folder) => folder,
            None => match call.setting("XDG_CACHE_HOME")? {
                Some(folder) => join(&call.place(&folder)?, "coursier"),
                None => join(&home, ".cache/coursier"),
            },
        };
        Ok(Kept {
            tool: "sbt",
            folders: vec![downloads(coursier), downloads(join(&home, ".ivy2/cache"))],
            locked: true,
            later: true,
            ..Kept::default()
        })
    })
}
