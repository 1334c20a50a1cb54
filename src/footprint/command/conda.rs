//! conda, mamba and micromamba: environments below their own root.

use super::super::Extent;
use super::super::argument::Argument;
use super::super::options::{Parsed, Spec, parse};
use super::{Call, Described, common, python};

#[rustfmt::skip]
const INSTALL: Spec = Spec {
    letters: "yqvCS",
    letters_with_value: "cnpfr",
    names: &[
        "yes", "quiet", "verbose", "override-channels", "strict-channel-priority",
        "no-channel-priority", "no-deps", "only-deps", "update-all", "all", "freeze-installed",
        "no-update-deps", "update-deps", "no-pin", "copy", "prune", "force", "no-default-packages",
        "use-local", "offline", "json",
    ],
    names_with_value: &[
        "channel", "name", "prefix", "file", "root-prefix", "solver", "platform",
    ],
};

#[rustfmt::skip]
const CLEAN: Spec = Spec {
    letters: "aityplfcqs",
    letters_with_value: "",
    names: &[
        "all", "yes", "index-cache", "tarballs", "packages", "force-pkgs-dirs", "tempfiles",
        "locks", "logfiles", "quiet", "trash",
    ],
    names_with_value: &[],
};

const CONFIG: Spec = Spec {
    letters: "",
    letters_with_value: "",
    names: &["system", "env"],
    // Each takes a key, and then a value as an operand.
    names_with_value: &["add", "append", "prepend", "set", "remove-key"],
};

/// Where installers and images put conda.
#[rustfmt::skip]
const ROOTS: &[&str] = &[
    "/opt", "/usr/local", "/usr/share", "/usr/bin", "/usr/lib", "/etc", "/var/cache",
];

#[rustfmt::skip]
const HARMLESS: &[&str] = &[
    "CONDA_VERSION", "CONDA_DEFAULT_ENV", "CONDA_ALWAYS_YES", "CONDA_OVERRIDE_CUDA",
    "CONDA_PROMPT_MODIFIER", "CONDA_SHLVL", "MAMBA_VERSION", "MAMBA_DOCKERFILE_ACTIVATE",
    "MAMBA_USER", "MAMBA_USER_ID", "MAMBA_USER_GID",
];

#[rustfmt::skip]
const PLACES: &[&str] = &[
    "CONDA_DIR", "CONDA_HOME", "CONDA_PREFIX", "CONDA_ENVS_PATH", "CONDA_PKGS_DIRS",
    "MAMBA_ROOT_PREFIX",
];

fn is_unclear(name: &str) -> bool {
    (name.starts_with("CONDA_") || name.starts_with("MAMBA_") || name == "CONDARC")
        && !HARMLESS.contains(&name)
        && !PLACES.contains(&name)
}

/// Describes any of them.
pub(super) fn run(call: &mut Call<'_>) -> Described {
    if call.asks() {
        return Ok(());
    }
    call.refuse(is_unclear)?;
    python::refuse_settings(call)?;
    let words: Vec<&str> = call
        .arguments
        .iter()
        .map(Argument::start)
        .filter(|t| !t.starts_with('-'))
        .collect();
    match words.as_slice() {
        ["clean", ..] => {
            let parsed = parse(call.arguments, &CLEAN)?;
            common::no_values(&parsed, CLEAN.names)?;
            if parsed.operands.len() != 1 {
                return Err("what it cleans is not known".to_string());
            }
            roots(call, &parsed)
        }
        ["config", ..] => config(call),
        ["install" | "create" | "update" | "upgrade" | "remove", ..] => install(call, 1),
        ["env", "create" | "update", ..] => install(call, 2),
        ["info" | "list", ..] => {
            let parsed = parse(call.arguments, &INSTALL)?;
            roots(call, &parsed)
        }
        [sub, ..] => Err(format!("what `{sub}` does is not known")),
        [] => Err("the subcommand is not known".to_string()),
    }
}

/// Settings of channels and the like; directories are not moved here.
fn config(call: &mut Call<'_>) -> Described {
    let parsed = parse(call.arguments, &CONFIG)?;
    let keys = ["add", "append", "prepend", "set", "remove-key"];
    let plain = |key: &Argument| {
        let key = key.known().unwrap_or_default();
        matches!(
            key,
            "channels"
                | "channel_priority"
                | "always_yes"
                | "auto_update_conda"
                | "auto_activate_base"
                | "changeps1"
                | "notify_outdated_conda"
                | "show_channel_urls"
                | "solver"
                | "ssl_verify"
                | "default_channels"
        ) || key.starts_with("remote_")
    };
    if parsed.values(&keys).count() == 0 || !parsed.values(&keys).all(plain) {
        return Err("the setting is not known".to_string());
    }
    roots(call, &parsed)
}

fn roots(call: &mut Call<'_>, parsed: &Parsed) -> Described {
    call.tool(&[".conda", ".condarc", ".mamba", ".mambarc"])?;
    call.moved(PLACES)?;
    for place in ROOTS {
        call.claims.read(Extent::Subtree, *place);
        call.claims.write(Extent::Subtree, *place);
    }
    for root in call.roots()? {
        call.claims.write(Extent::Subtree, root);
    }
    call.keep_in_values(parsed, &["p", "prefix", "r", "root-prefix"])?;
    let name = call.name;
    call.claims.assume(format!(
        "{name} and its packages' scripts touch only {}, the home directory, /tmp, the environments in \
         PATH and the directories they are given",
        ROOTS.join(", ")
    ));
    Ok(())
}

fn install(call: &mut Call<'_>, subcommands: usize) -> Described {
    let parsed = parse(call.arguments, &INSTALL)?;
    common::no_values(&parsed, INSTALL.names)?;
    call.claims.network = true;
    let mut files: Vec<Argument> = parsed.values(&["f", "file"]).cloned().collect();
    if files.is_empty() && subcommands == 2 {
        files.push(Argument::Known("environment.yml".to_string()));
        files.push(Argument::Known("environment.yaml".to_string()));
    }
    for file in files.iter().filter(|f| !f.start().contains("://")) {
        call.read(file, Extent::Exact)?;
        // A part of it may be for pip, which reads other files and local packages.
        let place = call.path(file, Extent::Exact)?.path;
        let directory = place.rsplit_once('/').map_or("/", |(d, _)| d).to_string();
        call.keep_in_tree(&directory);
        call.claims
            .assume("files that list conda's packages name nothing outside of the project");
    }
    for channel in parsed.values(&["c", "channel"]) {
        let text = channel.known().ok_or("a channel is not known")?;
        if text.starts_with(['/', '.', '~']) || text.starts_with("file:") {
            return Err("it may install from a local channel".to_string());
        }
    }
    for package in parsed.operands.iter().skip(subcommands) {
        let text = package.start();
        if text.is_empty() {
            return Err("the packages are not known".to_string());
        }
        if text.contains('/') || text.ends_with(".conda") || text.ends_with(".bz2") {
            return Err("it may install a local package".to_string());
        }
    }
    roots(call, &parsed)
}

#[cfg(test)]
mod tests {
    use super::super::lines::{Line, check};

    const ALL: &str = "/etc/** /opt/** /root/** /usr/bin/** /usr/lib/** /usr/local/** /usr/share/** /var/cache/** \
                       tmp";

    #[rustfmt::skip]
    const LINES: &[Line] = &[
        ("conda install -y -c conda-forge numpy=1.26 'python>=3.9'", "", "net /root/** /opt/**", ""),
        ("micromamba install -y -n base -f /tmp/e.yaml", "", "net /tmp/e.yaml", ""),
        ("conda clean -afy", "", "", ""),
        ("micromamba clean --all --yes", "", "", ""),
        ("conda config --add channels conda-forge", "", "", ""),
        ("conda config --set channel_priority strict", "", "", ""),
    ];

    #[rustfmt::skip]
    const OTHERS: &[Line] = &[
        ("conda install -c ./local x", "local channel", "", ""),
        ("conda install ./x.conda", "local package", "", ""),
        ("conda install $PKGS", "packages are not known", "", ""),
        ("conda config --set pkgs_dirs /x", "setting", "", ""),
        ("conda run -n x pip install y", "`run`", "", ""),
        ("conda init bash", "`init`", "", ""),
        ("conda activate x", "`activate`", "", ""),
        ("conda install --frob x", "option --frob", "", ""),
        ("CONDARC=/x conda install y", "CONDARC is set", "", ""),
        ("conda --version", "", "", ""),
    ];

    #[test]
    fn conda_has_its_footprints() {
        let lines: Vec<Line> = LINES.iter().map(|l| (l.0, l.1, l.2, ALL)).collect();
        check(&lines);
        check(OTHERS);
    }

    #[test]
    fn directories_that_are_given_are_written() {
        let with_app: &'static str = format!("{ALL} /app/**").leak();
        check(&[
            (
                "conda env create -n x",
                "",
                "net /app/environment.yml /app/**",
                with_app,
            ),
            (
                "conda env update -n base --file e.yml --prune",
                "",
                "net /app/e.yml",
                with_app,
            ),
        ]);
        let all = "/c/** /etc/** /opt/** /p/** /root/** /usr/bin/** /usr/lib/** /usr/local/** /usr/share/** \
                   /var/cache/** tmp";
        check(&[(
            "MAMBA_ROOT_PREFIX=/c mamba create -y -p /p python",
            "",
            "net",
            all,
        )]);
    }
}
