//! dotnet: restore, build and publish of projects and solutions. A project refers to others beside it,
//! and each has its own `obj` and `bin`, so the whole tree is read and written.

use super::super::Extent;
use super::super::argument::Argument;
use super::super::options::{Parsed, Spec, parse};
use super::{Call, Described, common};

#[rustfmt::skip]
const DOTNET: Spec = Spec {
    letters: "gn",
    letters_with_value: "crovfasp",
    names: &[
        "no-restore", "no-build", "no-cache", "no-dependencies", "no-incremental",
        "no-self-contained", "disable-parallel", "ignore-failed-sources", "force", "locked-mode",
        "use-lock-file", "nologo", "interactive", "self-contained", "global",
        "skip-manifest-update", "include-symbols", "disable-build-servers", "use-current-runtime",
        "allow-downgrade", "ucr", "sc",
    ],
    names_with_value: &[
        "configuration", "runtime", "output", "verbosity", "framework", "arch", "os", "source",
        "packages", "configfile", "version-suffix", "version", "tool-path", "property",
        "artifacts-path", "add-source", "lock-file-path", "tl",
    ],
};

/// Settings that change nothing that counts.
#[rustfmt::skip]
const HARMLESS: &[&str] = &[
    "DOTNET_CLI_TELEMETRY_OPTOUT", "DOTNET_CLI_UI_LANGUAGE", "DOTNET_CLI_USE_MSBUILD_SERVER",
    "DOTNET_GENERATE_ASPNET_CERTIFICATE", "DOTNET_HOSTBUILDER__RELOADCONFIGONCHANGE",
    "DOTNET_NOLOGO", "DOTNET_PRINT_TELEMETRY_MESSAGE", "DOTNET_ROLL_FORWARD",
    "DOTNET_RUNNING_IN_CONTAINER", "DOTNET_RUNNING_IN_CONTAINERS", "DOTNET_SDK_VERSION",
    "DOTNET_SKIP_FIRST_TIME_EXPERIENCE", "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT",
    "DOTNET_USE_POLLING_FILE_WATCHER", "DOTNET_VERSION", "DOTNET_EnableDiagnostics",
    "DOTNET_TieredPGO", "DOTNET_gcServer", "NUGET_CERT_REVOCATION_MODE",
    "NUGET_CREDENTIALPROVIDER_SESSIONTOKENCACHE_ENABLED", "NUGET_ENHANCED_MAX_NETWORK_TRY_COUNT",
    "NUGET_ENABLE_ENHANCED_HTTP_RETRY", "NUGET_XMLDOC_MODE", "DOTNET_ENVIRONMENT",
];

#[rustfmt::skip]
const PLACES: &[&str] = &[
    "DOTNET_CLI_HOME", "DOTNET_INSTALL_DIR", "DOTNET_ROOT", "DOTNET_BUNDLE_EXTRACT_BASE_DIR",
    "NUGET_HTTP_CACHE_PATH", "NUGET_PACKAGES", "NUGET_PLUGINS_CACHE_PATH", "NUGET_SCRATCH",
];

/// Variables are properties to MSBuild; these move outputs and packages.
#[rustfmt::skip]
const PROPERTIES: &[&str] = &[
    "artifactspath", "baseintermediateoutputpath", "baseoutputpath",
    "customaftermicrosoftcommontargets", "custombeforemicrosoftcommontargets",
    "directorybuildpropspath", "directorybuildtargetspath", "intermediateoutputpath",
    "msbuildprojectextensionspath", "outdir", "outputpath", "publishdir", "restoreconfigfile",
    "restorepackagespath", "restoreoutputpath",
];

fn is_unclear(name: &str) -> bool {
    let own = name.starts_with("DOTNET_") || name.starts_with("NUGET_");
    let lower = name.to_ascii_lowercase();
    (own && !HARMLESS.contains(&name) && !PLACES.contains(&name))
        || lower.starts_with("msbuild")
        || PROPERTIES.contains(&lower.as_str())
}

/// Describes dotnet.
pub(super) fn run(call: &mut Call<'_>) -> Described {
    if call.arguments.len() == 1
        && matches!(
            call.arguments[0].known(),
            Some("--version" | "--info" | "--list-sdks" | "--list-runtimes")
        )
    {
        call.claims
            .assume("dotnet changes nothing when asked for its version");
        let directory = call.directory()?.to_string();
        call.read_upwards(&directory, &["global.json"]);
        return Ok(());
    }
    call.refuse(is_unclear)?;
    let arguments = properties(call.arguments)?;
    let parsed = parse(&arguments, &DOTNET)?;
    let valued = ["self-contained", "sc", "disable-build-servers"];
    let flags: Vec<&str> = DOTNET
        .names
        .iter()
        .copied()
        .filter(|n| !valued.contains(n))
        .collect();
    common::no_values(&parsed, &flags)?;
    for value in parsed.values(&["property", "p"]) {
        property(value.known())?;
    }
    // `--self-contained false`
    let mut operands = parsed.operands.clone();
    if parsed.has(&["self-contained", "sc"]) {
        operands.retain(|o| !matches!(o.known(), Some("true" | "false")));
    }
    let texts = common::texts(&operands)?;
    match texts.as_slice() {
        ["restore", projects @ ..] if projects.len() < 2 => build(call, &parsed, projects),
        ["build" | "publish" | "pack" | "clean", projects @ ..] if projects.len() < 2 => {
            build(call, &parsed, projects)
        }
        ["tool", "restore"] => build(call, &parsed, &[]),
        ["tool", "install" | "update", name] if !name.contains('/') => {
            own_files(call)?;
            let directory = call.directory()?.to_string();
            call.read_upwards(&directory, CONFIG);
            if parsed.has(&["g", "global", "tool-path"]) {
                call.keep_in_values(&parsed, &["tool-path"])
            } else {
                call.write_upwards(&directory, &[".config"], Extent::Subtree);
                Ok(())
            }
        }
        ["workload", "install" | "restore", ..] => {
            call.claims
                .write_all(&["/usr/share/dotnet", "/usr/lib/dotnet", "/usr/local", "/opt"]);
            build(call, &parsed, &[])
        }
        [sub, ..] => Err(format!("what `{sub}` does is not known")),
        [] => Err("the subcommand is not known".to_string()),
    }
}

/// Files looked for in all directories above a project.
#[rustfmt::skip]
const CONFIG: &[&str] = &[
    "global.json", "nuget.config", "NuGet.config", "NuGet.Config", "Directory.Build.props",
    "Directory.Build.targets", "Directory.Packages.props", "Directory.Build.rsp", ".config",
    ".editorconfig", ".globalconfig",
];

/// `/p:Name=Value`, `-p:Name=Value`, `-property:…` and `/m` the way MSBuild takes them, looked at and
/// left out.
fn properties(arguments: &[Argument]) -> Result<Vec<Argument>, String> {
    let mut out = Vec::new();
    for argument in arguments {
        let start = match argument {
            Argument::Known(text) | Argument::Pattern { text, .. } => text.as_str(),
            Argument::Unknown { prefix } => prefix.as_str(),
        };
        let value = [
            "/p:",
            "-p:",
            "--p:",
            "/property:",
            "-property:",
            "--property:",
        ]
        .iter()
        .find_map(|p| start.strip_prefix(p));
        match (value, argument) {
            (Some(value), Argument::Unknown { .. }) => {
                let name = value
                    .split_once('=')
                    .map_or("", |(n, _)| n)
                    .to_ascii_lowercase();
                if !name.contains("version") && name != "sourcerevisionid" {
                    return Err(format!("property {value}… is not known"));
                }
            }
            (Some(value), _) => property(Some(value))?,
            (None, _)
                if matches!(
                    start,
                    "/m" | "-m" | "-maxcpucount" | "/nologo" | "-nologo" | "/restore"
                ) => {}
            (None, _) if start.starts_with("-v:") || start.starts_with("/v:") => {}
            (None, _) => out.push(argument.clone()),
        }
    }
    Ok(out)
}

fn property(text: Option<&str>) -> Described {
    let text = text.ok_or("a property is not known")?;
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let name = name.to_ascii_lowercase();
    if PROPERTIES.contains(&name.as_str())
        || name.contains("path")
        || name.contains("dir")
        || value.contains(['/', '\\', '$'])
    {
        return Err(format!("property {text} is not known"));
    }
    Ok(())
}

fn own_files(call: &mut Call<'_>) -> Described {
    call.claims.network = true;
    call.tool(&[
        ".nuget",
        ".dotnet",
        ".templateengine",
        ".aspnet",
        ".microsoft",
    ])?;
    call.moved(PLACES)?;
    call.claims.assume(
        "dotnet keeps packages and caches below the home directory, NUGET_PACKAGES or DOTNET_CLI_HOME, and no \
         configuration file moves them",
    );
    Ok(())
}

fn build(call: &mut Call<'_>, parsed: &Parsed, projects: &[&str]) -> Described {
    own_files(call)?;
    let mut directories = vec![call.directory()?.to_string()];
    for project in projects {
        let path = call.resolve(project)?;
        directories.push(path.rsplit_once('/').map_or("/", |(d, _)| d).to_string());
        directories.push(path);
    }
    for directory in &directories {
        call.read_tree(directory);
        call.claims
            .write(Extent::Subtree, common::top_of(directory));
        call.read_upwards(directory, CONFIG);
    }
    call.keep_in_values(parsed, &["o", "output", "packages", "artifacts-path"])?;
    for file in parsed.values(&["configfile", "lock-file-path"]) {
        call.read(file, Extent::Exact)?;
    }
    for source in parsed.values(&["s", "source", "add-source"]) {
        if !source.start().contains("://") {
            call.read(source, Extent::Subtree)?;
        }
    }
    call.claims.assume(
        "projects and their build targets touch only the project's tree, the output that is named, the home \
         directory and /tmp",
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::lines::{Line, check};

    #[rustfmt::skip]
    const LINES: &[Line] = &[
        ("dotnet restore", "", "net /app/** /NuGet.config /Directory.Build.props /root/**", "/app/** /root/** tmp"),
        ("dotnet restore src/Web/Web.csproj -r linux-x64 --packages /p", "", "net /app/**", "/app/** /p/** /root/** tmp"),
        ("dotnet publish -c Release -o /out --no-restore /p:UseAppHost=false", "", "net /app/** /out/**", "/app/** /out/** /root/** tmp"),
        ("dotnet publish Web.csproj -c $BUILD_CONFIGURATION -o /out -p:Version=$V --self-contained false", "", "net", "/app/** /out/** /root/** tmp"),
        ("cd /src/Web && dotnet build Web.csproj -c Release", "", "net /src/**", "/root/** /src/** tmp"),
        ("NUGET_PACKAGES=/n dotnet restore --configfile /c.config", "", "net /n/** /c.config", "/app/** /n/** /root/** tmp"),
        ("dotnet tool install -g dotnet-ef --version 8", "", "net", "/root/** tmp"),
        ("dotnet tool install --tool-path /t x", "", "net", "/root/** /t/** tmp"),
        ("dotnet build -p:OutputPath=/x", "property", "", ""),
        ("dotnet build /p:X=$Y", "property", "", ""),
        ("dotnet build -o $X", "a directory is not known", "", ""),
        ("dotnet test", "`test`", "", ""),
        ("dotnet run", "`run`", "", ""),
        ("dotnet app.dll", "`app.dll`", "", ""),
        ("dotnet build --frob", "option --frob", "", ""),
        ("OutDir=/x dotnet build", "OutDir is set", "", ""),
        ("DOTNET_STARTUP_HOOKS=/x dotnet build", "DOTNET_STARTUP_HOOKS is set", "", ""),
        ("dotnet --info", "", "/app/global.json", ""),
    ];

    #[test]
    fn dotnet_has_its_footprints() {
        check(LINES);
    }
}
