//! mix with Hex, and rebar3. `mix.exs` is a program of the project that every task starts with.

use super::super::Extent;
use super::super::options::{Spec, parse};
use super::{Call, Described, common};

#[rustfmt::skip]
const MIX: Spec = Spec {
    letters: "",
    letters_with_value: "",
    names: &[
        "force", "if-missing", "overwrite", "quiet", "warnings-as-errors",
        "skip-umbrella-children", "no-archives-check", "all", "include-children", "no-compile",
        "no-deps-check", "check-locked",
    ],
    names_with_value: &["only", "sha512", "path"],
};

#[rustfmt::skip]
const PLACES: &[&str] = &[
    "HEX_HOME", "MIX_ARCHIVES", "MIX_BUILD_PATH", "MIX_BUILD_ROOT", "MIX_DEPS_PATH", "MIX_HOME",
    "MIX_INSTALL_DIR", "REBAR_BASE_DIR", "REBAR_CACHE_DIR", "REBAR_GLOBAL_CONFIG_DIR", "MIX_XDG",
];

fn is_unclear(name: &str) -> bool {
    let harmless = [
        "HEX_API_KEY",
        "HEX_HTTP_CONCURRENCY",
        "HEX_HTTP_TIMEOUT",
        "HEX_MIRROR",
        "HEX_OFFLINE",
        "HEX_UNSAFE_HTTPS",
        "HEX_UNSAFE_REGISTRY",
        "HEX_VERSION",
        "MIX_DEBUG",
        "MIX_ENV",
        "MIX_QUIET",
        "MIX_TARGET",
        "REBAR_COLOR",
        "REBAR_PROFILE",
        "REBAR_VERSION",
        "MIX_OS_DEPS_COMPILE_PARTITION_COUNT",
    ];
    let own = ["MIX_", "HEX_", "REBAR_"]
        .iter()
        .any(|p| name.starts_with(p));
    let files = [
        "MIX_EXS",
        "ERL_LIBS",
        "ERL_FLAGS",
        "ERL_AFLAGS",
        "ERL_ZFLAGS",
        "ELIXIR_ERL_OPTIONS",
    ];
    (own && !harmless.contains(&name) && !PLACES.contains(&name)) || files.contains(&name)
}

/// What both touch beside a project.
fn own_files(call: &mut Call<'_>) -> Described {
    call.refuse(is_unclear)?;
    if call.setting("MIX_XDG")?.is_some() {
        return Err("MIX_XDG is set".to_string());
    }
    call.claims.network = true;
    call.tool(&[".mix", ".hex", ".rebar3", ".rebar", ".erlang"])?;
    let places: Vec<&str> = PLACES.iter().copied().filter(|p| *p != "MIX_XDG").collect();
    call.moved(&places)
}

/// Describes mix.
pub(super) fn mix(call: &mut Call<'_>) -> Described {
    if call.asks() {
        return Ok(());
    }
    let texts = common::texts(call.arguments)?;
    own_files(call)?;
    let directory = call.directory()?.to_string();
    let top = directory.trim_end_matches('/').to_string();
    call.read_files(&directory, &["mix.exs", "mix.lock", ".tool-versions"]);
    call.claims.read(Extent::Subtree, format!("{top}/config"));
    call.claims.assume(format!(
        "mix.exs and the configuration of {directory} read no other file, and no alias has the name of a task"
    ));
    // `mix do a, b + c`
    let tasks: Vec<Vec<&str>> = match texts.split_first() {
        Some((&"do", rest)) => rest
            .split_inclusive(|w| w.ends_with(',') || *w == "+")
            .map(|task| {
                let words = task.iter().map(|w| w.trim_end_matches(','));
                words.filter(|w| !w.is_empty() && *w != "+").collect()
            })
            .collect(),
        _ => vec![texts],
    };
    for words in tasks.iter().filter(|t| !t.is_empty()) {
        let arguments: Vec<_> = words
            .iter()
            .map(|w| super::Argument::Known((*w).to_string()))
            .collect();
        let parsed = parse(&arguments, &MIX)?;
        common::no_values(&parsed, MIX.names)?;
        let operands = common::texts(&parsed.operands)?;
        let Some((task, rest)) = operands.split_first() else {
            return Err("the task is not known".to_string());
        };
        match (*task, rest) {
            ("local.hex" | "local.rebar", []) => {}
            ("archive.install", ["hex", ..]) => {}
            // Local dependencies and the applications of an umbrella have their own mix.exs.
            ("deps.get", []) | ("deps.compile", _) => {
                call.keep_in_tree(&directory);
                call.claims.assume(
                    "dependencies are fetched and compiled inside the project, the home directory and /tmp",
                );
            }
            ("compile" | "release" | "phx.digest" | "deps.clean" | "clean", _) => {
                call.read_tree(&directory);
                call.claims.write(Extent::Subtree, directory.clone());
                call.keep_in_values(&parsed, &["path"])?;
                call.claims.assume(
                    "compilers and release steps of the project touch only the project, the home directory and /tmp",
                );
            }
            _ => return Err(format!("what `{task}` does is not known")),
        }
    }
    Ok(())
}

/// Describes rebar3.
pub(super) fn rebar3(call: &mut Call<'_>) -> Described {
    if call.asks() {
        return Ok(());
    }
    let texts = common::texts(call.arguments)?;
    let tasks = match texts.as_slice() {
        ["as", _, rest @ ..] => rest,
        all => all,
    };
    match tasks {
        ["compile" | "get-deps" | "release" | "tar" | "escriptize" | "clean"] => {}
        _ => return Err(format!("what `{}` does is not known", texts.join(" "))),
    }
    own_files(call)?;
    let directory = call.directory()?.to_string();
    call.read_tree(&directory);
    call.claims.write(Extent::Subtree, directory);
    call.claims.assume(
        "rebar3's plugins, hooks and compilers touch only the project, the home directory and /tmp",
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::lines::{Line, check};

    #[rustfmt::skip]
    const LINES: &[Line] = &[
        ("mix local.hex --force && mix local.rebar --force", "", "net /app/mix.exs", "/root/** tmp"),
        ("mix do local.hex --force, local.rebar --force", "", "net", "/root/** tmp"),
        ("mix deps.get --only prod", "", "net /app/mix.exs /app/mix.lock /app/config/**", "/app/** /root/** tmp"),
        ("mix do deps.get --only $MIX_ENV, deps.compile", "is not known", "", ""),
        ("mix do deps.get + deps.compile", "", "net", "/app/** /root/** tmp"),
        ("mix deps.compile", "", "net", "/app/** /root/** tmp"),
        ("MIX_ENV=prod mix compile", "", "net /app/**", "/app/** /root/** tmp"),
        ("mix release --overwrite --path /r", "", "net", "/app/** /r/** /root/** tmp"),
        ("MIX_HOME=/m mix local.hex --force", "", "net /m/**", "/m/** /root/** tmp"),
        ("mix assets.deploy", "`assets.deploy`", "", ""),
        ("mix ecto.setup", "`ecto.setup`", "", ""),
        ("mix compile --frob", "option --frob", "", ""),
        ("MIX_EXS=/x mix compile", "MIX_EXS is set", "", ""),
        ("ERL_LIBS=/x mix compile", "ERL_LIBS is set", "", ""),
        ("rebar3 as prod release", "", "net /app/**", "/app/** /root/** tmp"),
        ("rebar3 shell", "`shell`", "", ""),
        ("mix --version", "", "", ""),
    ];

    #[test]
    fn mix_has_its_footprints() {
        check(LINES);
    }
}
