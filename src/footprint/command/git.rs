//! git: clones go to their directory; everything else works on the repository around the directory.

use super::super::Extent;
use super::super::argument::Argument;
use super::super::options::{Parsed, Spec, parse};
use super::{Call, Described, common};

#[rustfmt::skip]
const GIT: Spec = Spec {
    letters: "qvnfaltspd46",
    letters_with_value: "bcjCmo",
    names: &[
        "quiet", "verbose", "progress", "single-branch", "no-single-branch", "no-tags", "tags",
        "recursive", "recurse-submodules", "shallow-submodules", "no-checkout", "bare", "mirror",
        "init", "remote", "force", "all", "hard", "soft", "mixed", "always", "dirty", "long",
        "exact-match", "short", "abbrev-ref", "show-toplevel", "verify", "unshallow", "prune",
        "global", "system", "local", "add", "unset", "detach", "no-edit", "ff-only", "rebase",
        "no-rebase", "abbrev", "porcelain", "oneline", "merge", "no-commit", "sync", "skip-repo",
        "no-recurse-submodules", "sparse", "replace-all", "no-pager", "cached", "allow-empty",
        "no-verify", "count", "no-gpg-sign", "autostash", "checkout",
    ],
    names_with_value: &[
        "depth", "branch", "origin", "config", "filter", "jobs", "shallow-since", "initial-branch",
        "format", "pretty", "message", "author", "match", "max-count", "date",
    ],
};

/// Variables that move what git works on, or have it run something.
#[rustfmt::skip]
const UNCLEAR: &[&str] = &[
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_EXEC_PATH", "GIT_TEMPLATE_DIR", "GIT_SSH",
    "GIT_SSH_COMMAND", "GIT_ASKPASS", "GIT_EXTERNAL_DIFF", "GIT_EDITOR", "GIT_PROXY_COMMAND",
    "GIT_SEQUENCE_EDITOR", "GIT_SHALLOW_FILE", "GIT_NAMESPACE",
];

/// Describes git.
pub(super) fn run(call: &mut Call<'_>) -> Described {
    if call.asks() {
        return Ok(());
    }
    call.refuse(|n| {
        UNCLEAR.contains(&n) || n.starts_with("GIT_CONFIG") || n.starts_with("GIT_TRACE")
    })?;
    let parsed = parse(call.arguments, &GIT)?;
    common::no_values(&parsed, &["bare", "mirror", "global", "system"])?;
    // `-c name=value`: settings may run programs.
    for setting in parsed.values(&["c", "config"]) {
        let text = setting.start();
        let plain = [
            "advice.",
            "http.postBuffer",
            "http.version",
            "http.sslVerify",
            "core.autocrlf",
            "core.eol",
            "user.",
            "init.defaultBranch",
            "core.compression",
            "pack.",
            "protocol.",
            "submodule.fetchJobs",
            "core.longpaths",
        ];
        if !plain.iter().any(|p| text.starts_with(p)) {
            return Err(format!("the setting {} is not known", setting.shown()));
        }
    }
    let own = [".git-credentials", ".git-templates"];
    match parsed.operands.first().and_then(Argument::known) {
        // Settings are read, and nothing outside of the repository is written.
        Some("init") => {
            for place in [".config/git", ".gitconfig", ".git-templates"] {
                let own = call.home_entry(place)?;
                call.claims.read(own.extent, own.path);
            }
        }
        Some("config") => {
            call.tool_with(&[".config/git", ".gitconfig", ".netrc", ".ssh"], &own)?;
        }
        _ => call.tool(&own)?,
    }
    call.claims.assume(
        "git's settings and templates name no hook or filter that touches anything outside of the repository",
    );
    let Some((sub, rest)) = parsed.operands.split_first() else {
        return Err("the subcommand is not known".to_string());
    };
    match sub.known() {
        Some("clone") => clone(call, &parsed, rest),
        Some("config") => config(call, &parsed, rest),
        Some("init") => {
            let place = common::texts(rest)?
                .first()
                .copied()
                .unwrap_or(".")
                .to_string();
            let place = match parsed.values(&["C"]).last() {
                None => place,
                Some(_) => return Err("the directory is not known".to_string()),
            };
            // Where it starts is there.
            if place != "." {
                call.create_directories(&Argument::Known(place.clone()))?;
            }
            match parsed.has(&["bare"]) {
                true => call.keep_in(&place),
                false => call.keep_in(&format!("{place}/.git")),
            }
        }
        Some("fetch" | "pull" | "submodule" | "lfs") => {
            call.claims.network = true;
            let runs = rest.first().and_then(Argument::known);
            if sub.known() == Some("submodule")
                && !matches!(runs, Some("update" | "init" | "sync" | "status"))
            {
                return Err("what it does to submodules is not known".to_string());
            }
            repository(call, &parsed, rest)
        }
        Some(
            "checkout" | "switch" | "reset" | "restore" | "clean" | "merge" | "add" | "commit"
            | "apply" | "am" | "stash" | "tag" | "branch" | "remote" | "rm" | "mv" | "cherry-pick"
            | "gc",
        ) => {
            // A partial clone fetches what is missing.
            call.claims.network = true;
            repository(call, &parsed, rest)
        }
        Some(
            "rev-parse" | "describe" | "log" | "show" | "status" | "diff" | "rev-list" | "ls-files"
            | "show-ref" | "symbolic-ref",
        ) => repository(call, &parsed, rest),
        Some("ls-remote") => {
            call.claims.network = true;
            repository(call, &parsed, &[])
        }
        _ => Err(format!("what `{}` does is not known", sub.shown())),
    }
}

/// The repository around the directory; where it starts is not known, so the tree is claimed.
fn repository(call: &mut Call<'_>, parsed: &Parsed, operands: &[Argument]) -> Described {
    let directory = match parsed.values(&["C"]).collect::<Vec<_>>().as_slice() {
        [] => call.directory()?.to_string(),
        [one] => call.resolve(one.known().ok_or("the directory is not known")?)?,
        _ => return Err("it changes the directory twice".to_string()),
    };
    let top = common::top_of(&directory);
    call.claims.read(Extent::Subtree, top.clone());
    call.claims.write(Extent::Subtree, top);
    // Patches, and repositories to fetch from.
    for operand in operands {
        let text = operand.start();
        if text.starts_with(['/', '.']) || text.starts_with("file:") {
            call.read(operand, Extent::Subtree)?;
        }
    }
    Ok(())
}

fn clone(call: &mut Call<'_>, parsed: &Parsed, operands: &[Argument]) -> Described {
    if parsed.has(&["C"]) {
        return Err("the directory is not known".to_string());
    }
    let (source, place) = match operands {
        [source] => (source, None),
        [source, place] => (source, Some(place)),
        _ => return Err("its operands are not known".to_string()),
    };
    let text = source.start();
    let remote = text.contains("://") && !text.starts_with("file:");
    let remote =
        remote || (text.contains('@') && text.contains(':') && !text.starts_with(['/', '.']));
    if !remote {
        if text.starts_with("file:") {
            return Err("it clones a local repository".to_string());
        }
        call.read(source, Extent::Subtree)?;
    }
    call.claims.network = true;
    let place = match (place, source.known()) {
        (Some(place), _) => place.clone(),
        (None, Some(url)) => Argument::Known(name_of(url, parsed.has(&["bare", "mirror"]))?),
        (None, None) => return Err("the directory is not known".to_string()),
    };
    call.create_directories(&place)?;
    call.read(&place, Extent::Subtree)?;
    call.write(&place, Extent::Subtree)
}

/// The directory that a clone is named after its address.
fn name_of(url: &str, bare: bool) -> Result<String, String> {
    let path = url.trim_end_matches('/');
    let path = path.strip_suffix("/.git").unwrap_or(path);
    let name = path.rsplit(['/', ':']).next().unwrap_or_default();
    let name = name.strip_suffix(".git").unwrap_or(name);
    // Git cleans blanks and control characters away.
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
    if name.is_empty() || !name.chars().all(plain) {
        return Err("the directory is not known".to_string());
    }
    Ok(if bare {
        format!("{name}.git")
    } else {
        name.to_string()
    })
}

fn config(call: &mut Call<'_>, parsed: &Parsed, operands: &[Argument]) -> Described {
    let key = operands
        .iter()
        .map(Argument::start)
        .find(|k| k.contains('.'));
    let key = key.ok_or("the setting is not known")?.to_ascii_lowercase();
    let runs = [
        "core.hookspath",
        "core.worktree",
        "filter.",
        "alias.",
        "include",
        "core.sshcommand",
        "core.fsmonitor",
        "core.pager",
        "core.editor",
        "core.gitproxy",
        "init.templatedir",
        "diff.",
        "merge.",
        "gpg.",
    ];
    if runs.iter().any(|r| key.starts_with(r))
        || (key.starts_with("credential.")
            && operands.iter().any(|o| o.start().starts_with(['!', '/'])))
    {
        return Err("the setting may have git run programs".to_string());
    }
    if parsed.has(&["global"]) {
        // The home directory has been claimed.
        return Ok(());
    }
    if parsed.has(&["system"]) {
        call.claims.write_all(&["/etc", "/usr/local/etc"]);
        return Ok(());
    }
    repository(call, parsed, &[])
}

#[cfg(test)]
mod tests {
    use super::super::lines::{Line, check};

    #[rustfmt::skip]
    const LINES: &[Line] = &[
        ("git clone --depth 1 --branch v1.2 https://e.org/a/x.git", "", "net /root/**", "/app /app/x/** /root/** tmp"),
        ("git clone --recursive -b $BRANCH https://e.org/x /src/x", "", "net /src/x/**", "/root/** /src /src/x/** tmp"),
        ("git clone git@e.org:a/b.git", "", "net", "/app /app/b/** /root/** tmp"),
        ("git clone --bare https://e.org/b c", "", "net", "/app /app/c/** /root/** tmp"),
        ("git clone https://e.org/$X /y", "", "net", "/root/** /y/** tmp"),
        ("git clone https://e.org/$X", "directory is not known", "", ""),
        ("git clone $URL /y", "a path is not known", "", ""),
        ("git clone ../r /y", "", "net /r/**", "/root/** /y/** tmp"),
        ("git clone file:///r /y", "local repository", "", ""),
        ("git clone --template=/x https://e.org/y", "option --template", "", ""),
        ("git clone -c core.hooksPath=/x https://e.org/y", "the setting", "", ""),
        ("git -C /src/x checkout v1", "", "net /src/**", "/root/** /src/** tmp"),
        ("cd /src && git checkout $REV && git submodule update --init --recursive", "", "net /src/**", "/root/** /src/** tmp"),
        ("git fetch --depth 1 origin x", "", "net /app/**", "/app/** /root/** tmp"),
        ("git apply /p.patch", "", "net /p.patch", "/app/** /root/** tmp"),
        ("git rev-parse --short HEAD", "", "/app/**", "/app/** /root/** tmp"),
        ("git config --global user.email a@b", "", "/root/**", "/root/**"),
        ("git config --system --add safe.directory '*'", "", "", "/etc/** /root/** /usr/local/etc/**"),
        ("git config --global url.https://x/.insteadOf ssh://y", "", "", "/root/**"),
        ("git config --global core.hooksPath /x", "run programs", "", ""),
        ("git config --global credential.helper '!f'", "run programs", "", ""),
        ("git submodule foreach x", "submodules", "", ""),
        ("git bisect run x", "`bisect`", "", ""),
        ("GIT_DIR=/x git status", "GIT_DIR is set", "", ""),
        ("git --version", "", "", ""),
    ];

    #[test]
    fn git_has_its_footprints() {
        check(LINES);
    }
}
