//! Texts and trees: jq, envsubst, awk, patch and rsync between local directories.

use super::super::Extent;
use super::super::argument::Argument;
use super::super::options::{Spec, parse};
use super::{Call, Described};

/// Describes any of them.
pub(super) fn run(call: &mut Call<'_>) -> Described {
    if matches!(call.arguments, [a] if matches!(a.known(), Some("--version" | "--help"))) {
        return Ok(());
    }
    match call.name {
        "jq" => jq(call),
        // It reads its input and prints.
        "envsubst" => match call.arguments.iter().find(|a| a.start().starts_with('-')) {
            Some(option) if !matches!(option.known(), Some("-v" | "--variables")) => {
                Err(format!("option {} is not known", option.shown()))
            }
            _ => Ok(()),
        },
        "awk" | "gawk" | "mawk" | "nawk" => awk(call),
        "patch" => patch(call),
        "rsync" => rsync(call),
        _ => Err("what it reads and writes is not known".to_string()),
    }
}

fn jq(call: &mut Call<'_>) -> Described {
    let mut program = None;
    let mut files = Vec::new();
    let mut only_texts = false;
    let mut rest = call.arguments.iter();
    while let Some(argument) = rest.next() {
        let text = argument.start();
        match text {
            "--arg" | "--argjson" => {
                rest.next();
                rest.next();
            }
            "--slurpfile" | "--rawfile" => {
                rest.next();
                files.push(rest.next().ok_or("a file is not known")?.clone());
            }
            "--indent" => {
                rest.next();
            }
            "--args" | "--jsonargs" => only_texts = true,
            "--raw-output"
            | "--compact-output"
            | "--null-input"
            | "--slurp"
            | "--exit-status"
            | "--tab"
            | "--sort-keys"
            | "--raw-input"
            | "--join-output"
            | "--monochrome-output" => {}
            _ if text.starts_with("--") => return Err(format!("option {text} is not known")),
            _ if text.len() > 1 && text.starts_with('-') => {
                if !text[1..].bytes().all(|b| b"rcnseMjSaRC".contains(&b)) {
                    return Err(format!("option {text} is not known"));
                }
            }
            _ if program.is_none() => program = Some(argument.clone()),
            _ if only_texts => {}
            _ => files.push(argument.clone()),
        }
    }
    let program = program.ok_or("its program is not known")?;
    // The text of a program with a value in it starts like this and may go on with anything.
    let text = match &program {
        Argument::Known(text) | Argument::Pattern { text, .. } => text,
        Argument::Unknown { .. } => return Err("its program is not known".to_string()),
    };
    if text.contains("import") || text.contains("include") || text.contains("get_search_list") {
        return Err("its program may read modules".to_string());
    }
    for file in &files {
        call.read(file, Extent::Exact)?;
    }
    let modules = call.home_entry(".jq")?;
    call.claims.read(modules.extent, modules.path);
    Ok(())
}

/// Whether a program of awk prints and computes alone. A `>` may be a redirection or a comparison.
fn only_prints(program: &str) -> bool {
    let bare = program.replace("||", "").replace(">=", "");
    let touches = [
        "system", "getline", "close", "fflush", "|", ">", "<", "@", "ARGV", "ARGC", "include",
    ];
    !touches.iter().any(|t| bare.contains(t))
}

fn awk(call: &mut Call<'_>) -> Described {
    let spec = Spec {
        letters_with_value: "Fv",
        names_with_value: &["field-separator", "assign"],
        ..Spec::default()
    };
    // Options end at the program.
    let mut end = 0;
    while let Some(argument) = call.arguments.get(end) {
        match argument.start() {
            "-F" | "-v" => end += 2,
            text if text.starts_with('-') && text.len() > 1 => end += 1,
            _ => break,
        }
    }
    let (options, operands) = call.arguments.split_at(end.min(call.arguments.len()));
    let parsed = parse(options, &spec)?;
    if !parsed.operands.is_empty() {
        return Err("its options are not known".to_string());
    }
    call.refuse(|n| matches!(n, "AWKPATH" | "AWKLIBPATH" | "GAWK_READ_TIMEOUT"))?;
    let Some((program, files)) = operands.split_first() else {
        return Err("its program is not known".to_string());
    };
    let text = match program {
        Argument::Known(text) | Argument::Pattern { text, .. } => text,
        Argument::Unknown { .. } => return Err("its program is not known".to_string()),
    };
    if !only_prints(text) {
        return Err("its program may touch other files".to_string());
    }
    for file in files {
        let assigns = file.start().split_once('=').is_some_and(|(n, _)| {
            !n.is_empty() && n.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        });
        if !assigns && file.known() != Some("-") {
            call.read(file, Extent::Exact)?;
        }
    }
    Ok(())
}

fn patch(call: &mut Call<'_>) -> Described {
    let spec = Spec {
        letters: "NsftERublcn",
        letters_with_value: "pidF",
        names: &[
            "forward",
            "silent",
            "quiet",
            "force",
            "batch",
            "dry-run",
            "reverse",
            "binary",
            "verbose",
            "remove-empty-files",
            "unified",
            "no-backup-if-mismatch",
            "backup",
            "ignore-whitespace",
        ],
        names_with_value: &["strip", "input", "directory", "fuzz"],
    };
    let parsed = parse(call.arguments, &spec)?;
    let directory = call.directory_of(&parsed, &["d", "directory"])?;
    // A patch named by an option is looked for in the directory that is changed to.
    for file in parsed.values(&["i", "input"]) {
        let text = file.known().ok_or("the patch is not known")?;
        let there = format!("{}/{text}", directory.trim_end_matches('/'));
        call.read(file, Extent::Exact)?;
        if !text.starts_with('/') {
            call.read(&Argument::Known(there), Extent::Exact)?;
        }
    }
    for (at, file) in parsed.operands.iter().enumerate() {
        call.read(file, Extent::Exact)?;
        if at == 0 {
            let text = file.known().ok_or("a path is not known")?;
            for end in ["", ".orig", ".rej"] {
                call.write(&Argument::Known(format!("{text}{end}")), Extent::Exact)?;
            }
        }
    }
    call.claims.read(Extent::Subtree, directory.clone());
    call.claims.write(Extent::Subtree, directory);
    call.claims.write_all(&["/tmp"]);
    call.claims
        .assume("a patch changes only files below the directory it is applied in");
    Ok(())
}

fn rsync(call: &mut Call<'_>) -> Described {
    let spec = Spec {
        letters: "avrlptgoDzhPuAXHcqnxSRdiIEkLW",
        letters_with_value: "",
        names: &[
            "archive",
            "verbose",
            "recursive",
            "delete",
            "progress",
            "stats",
            "quiet",
            "checksum",
            "links",
            "copy-links",
            "perms",
            "times",
            "no-owner",
            "no-group",
            "no-perms",
            "ignore-existing",
            "update",
            "delete-excluded",
            "prune-empty-dirs",
            "info",
            "force",
            "delete-after",
            "inplace",
            "numeric-ids",
            "hard-links",
        ],
        names_with_value: &[
            "exclude",
            "include",
            "exclude-from",
            "include-from",
            "files-from",
            "chmod",
            "chown",
        ],
    };
    let parsed = parse(call.arguments, &spec)?;
    call.refuse(|n| n.starts_with("RSYNC_"))?;
    for list in parsed.values(&["exclude-from", "include-from", "files-from"]) {
        call.read(list, Extent::Exact)?;
    }
    let [sources @ .., target] = parsed.operands.as_slice() else {
        return Err("its operands are not known".to_string());
    };
    if sources.is_empty() {
        return Err("its operands are not known".to_string());
    }
    for operand in &parsed.operands {
        let first = operand.start().split('/').next().unwrap_or_default();
        if first.contains(':') || operand.start().contains("://") {
            return Err("it copies from or to another machine".to_string());
        }
    }
    for source in sources {
        call.read(source, Extent::Subtree)?;
    }
    call.claims
        .assume("no file of popt gives rsync's options another meaning");
    call.read(target, Extent::Subtree)?;
    call.write(target, Extent::Subtree)
}

#[cfg(test)]
mod tests {
    use super::super::lines::{Line, check};

    #[rustfmt::skip]
    const LINES: &[Line] = &[
        ("jq -r .version package.json > /v", "", "/app/package.json /root/.jq", "/v"),
        ("jq --arg v \"$V\" '.version = $v' a.json", "", "/app/a.json", ""),
        ("jq -n --slurpfile x f.json '$x'", "", "/app/f.json", ""),
        ("jq 'include \"x\"; .' a", "modules", "", ""),
        ("jq -f p.jq a", "option -f", "", ""),
        ("jq \".a = \\\"$X\\\"\" a", "program is not known", "", ""),
        ("envsubst '$A' < in > out", "", "/app/in", "/app/out"),
        ("envsubst --frob", "option --frob", "", ""),
        ("awk -F: '{print $1}' /etc/passwd", "", "/etc/passwd", ""),
        ("awk -v x=1 'NR==1 || /a/ {print x}' f y=2", "", "/app/f", ""),
        ("awk '{print > \"/x\"}' f", "other files", "", ""),
        ("awk '{system(\"x\")}' f", "other files", "", ""),
        ("awk '{\"date\" | getline d}' f", "other files", "", ""),
        ("awk -f p.awk f", "option -f", "", ""),
        ("gawk -i inplace '{print}' f", "option -i", "", ""),
        ("patch -p1 < /x.patch", "", "/x.patch /app/**", "/app/** /tmp/**"),
        ("patch -d /src -p1 -i /x.patch", "", "/x.patch /src/**", "/src/** /tmp/**"),
        ("patch /a/b /c.diff", "", "/c.diff", "/a/b /a/b.orig /a/b.rej /app/** /tmp/**"),
        ("patch -o /x a", "option -o", "", ""),
        ("rsync -a --delete --exclude x src/ /dst", "", "/app/src/** /dst/**", "/dst/**"),
        ("rsync -av --exclude-from l . /dst", "", "/app/l /app/**", "/dst/**"),
        ("rsync -a host:/x /y", "another machine", "", ""),
        ("rsync -a --remove-source-files x y", "option --remove-source-files", "", ""),
        ("rsync -e ssh x y", "option", "", ""),
    ];

    #[test]
    fn texts_have_their_footprints() {
        check(LINES);
    }
}
