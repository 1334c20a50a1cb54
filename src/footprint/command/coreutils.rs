//! The everyday programs of coreutils, findutils and grep, as one table.
//!
//! Each row has the options that change nothing but what its [`Effect`] says. Where a destination may
//! be a directory, everything below it is claimed.

use super::super::Extent;
use super::super::argument::Argument;
use super::super::options::{Parsed, Spec, parse};
use super::{Call, Described};

/// What a program does with its operands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// Nothing: it prints.
    Nothing,
    /// Reads each file.
    Reads,
    /// Reads each, a directory with all below it; the working directory without operands.
    ReadsTrees,
    /// The first operand is a pattern, the others are read.
    Searches,
    /// Writes each file.
    Writes,
    /// Creates each directory.
    Directories,
    /// Removes each with all below it.
    Removes,
    /// Reads all but the last, writes the last.
    Copies,
    /// As `Copies`, and removes what it read.
    Moves,
    /// Creates a link at the last operand.
    Links,
    /// The first operand is a mode or an owner, the others are changed.
    Changes,
    /// `install`
    Installs,
}

/// One program.
struct Program {
    name: &'static str,
    effect: Effect,
    spec: Spec,
}

const fn row(
    name: &'static str,
    effect: Effect,
    letters: &'static str,
    letters_with_value: &'static str,
    names: &'static [&'static str],
    names_with_value: &'static [&'static str],
) -> Program {
    Program {
        name,
        effect,
        spec: Spec {
            letters,
            letters_with_value,
            names,
            names_with_value,
        },
    }
}

const VERBOSE: &[&str] = &["verbose"];
const RECURSIVE: &[&str] = &["recursive", "verbose", "quiet", "silent", "changes"];

#[rustfmt::skip]
const PROGRAMS: &[Program] = &[
    row("arch", Effect::Nothing, "", "", &[], &[]),
    row("basename", Effect::Nothing, "az", "s", &["multiple"], &["suffix"]),
    row("date", Effect::Nothing, "uRI", "d", &["utc", "iso-8601", "rfc-3339"], &["date"]),
    row("dirname", Effect::Nothing, "z", "", &[], &[]),
    row("echo", Effect::Nothing, "neE", "", &[], &[]),
    row("expr", Effect::Nothing, "", "", &[], &[]),
    row("false", Effect::Nothing, "", "", &[], &[]),
    row("getconf", Effect::Nothing, "", "", &[], &[]),
    row("hostname", Effect::Nothing, "fis", "", &[], &[]),
    row("id", Effect::Nothing, "ugnrG", "", &["user", "group", "name"], &[]),
    row("nproc", Effect::Nothing, "", "", &["all"], &[]),
    row("printenv", Effect::Nothing, "", "", &[], &[]),
    row("printf", Effect::Nothing, "", "", &[], &[]),
    row("seq", Effect::Nothing, "w", "sf", &[], &[]),
    row("sleep", Effect::Nothing, "", "", &[], &[]),
    row("tr", Effect::Nothing, "cCdst", "", &["delete", "squeeze-repeats", "complement"], &[]),
    row("true", Effect::Nothing, "", "", &[], &[]),
    row("uname", Effect::Nothing, "asnrvmpio", "", &["all", "machine", "kernel-release"], &[]),
    row("which", Effect::Nothing, "as", "", &["all"], &[]),
    row("whoami", Effect::Nothing, "", "", &[], &[]),
    row("base64", Effect::Reads, "di", "w", &["decode"], &["wrap"]),
    row("cat", Effect::Reads, "AbeEnstTuv", "", &["number", "show-all"], &[]),
    row("cmp", Effect::Reads, "sl", "", &["silent", "quiet"], &[]),
    row("cut", Effect::Reads, "s", "bcdf", &["only-delimited"], &["bytes", "characters", "delimiter", "fields"]),
    row("head", Effect::Reads, "qv0123456789", "nc", &["quiet"], &["lines", "bytes"]),
    row("md5sum", Effect::Reads, "bt", "", &[], &[]),
    row("readlink", Effect::Reads, "femnqs", "", &["canonicalize"], &[]),
    row("realpath", Effect::Reads, "emqs", "", &[], &[]),
    row("sha1sum", Effect::Reads, "bt", "", &[], &[]),
    row("sha256sum", Effect::Reads, "bt", "", &[], &[]),
    row("sha512sum", Effect::Reads, "bt", "", &[], &[]),
    row("sort", Effect::Reads, "bdfginrMRVuzsm", "kt", &["unique", "reverse", "version-sort", "numeric-sort"], &["key", "field-separator"]),
    row("stat", Effect::Reads, "Lt", "c", &["dereference"], &["format", "printf"]),
    row("tac", Effect::Reads, "", "", &[], &[]),
    row("tail", Effect::Reads, "qv0123456789", "nc", &["quiet"], &["lines", "bytes"]),
    row("wc", Effect::Reads, "clmwL", "", &["lines", "words", "bytes"], &[]),
    row("diff", Effect::ReadsTrees, "rqubwiNay", "", &["recursive", "brief", "unified"], &[]),
    row("du", Effect::ReadsTrees, "shackmbx", "d", &["summarize", "human-readable"], &["max-depth"]),
    row("ls", Effect::ReadsTrees, "aAlhR1dtrFiSnLspGgoUX", "", &["all", "almost-all", "recursive", "human-readable", "color", "full-time"], &[]),
    row("egrep", Effect::Searches, "qivnlLcoswxhHEFPrRza", "ABCme", &["quiet", "ignore-case"], &["include", "exclude"]),
    row("fgrep", Effect::Searches, "qivnlLcoswxhHEFPrRza", "ABCme", &["quiet", "ignore-case"], &["include", "exclude"]),
    row("grep", Effect::Searches, "qivnlLcoswxhHEFPrRza", "ABCme", &["quiet", "silent", "ignore-case", "invert-match", "recursive", "only-matching", "extended-regexp", "fixed-strings", "perl-regexp", "no-messages", "color", "line-number", "count", "files-with-matches"], &["include", "exclude", "exclude-dir", "max-count", "regexp"]),
    row("tee", Effect::Writes, "ai", "", &["append"], &[]),
    row("touch", Effect::Writes, "acmh", "td", &["no-create"], &["date", "time"]),
    row("truncate", Effect::Writes, "c", "s", &["no-create"], &["size"]),
    row("mkdir", Effect::Directories, "pv", "m", &["parents", "verbose"], &["mode"]),
    row("rm", Effect::Removes, "rRfvid", "", &["recursive", "force", "verbose", "dir", "one-file-system", "preserve-root"], &[]),
    row("rmdir", Effect::Removes, "v", "", &["ignore-fail-on-non-empty", "verbose"], &[]),
    row("unlink", Effect::Removes, "", "", &[], &[]),
    row("cp", Effect::Copies, "aAdfHilLnPpRrsuvTx", "t", &["archive", "recursive", "force", "no-clobber", "preserve", "no-preserve", "no-target-directory", "parents", "verbose", "update", "dereference", "no-dereference", "link", "symbolic-link", "remove-destination", "reflink", "sparse"], &["target-directory"]),
    row("mv", Effect::Moves, "finuvT", "t", &["force", "no-clobber", "no-target-directory", "verbose", "update"], &["target-directory"]),
    row("ln", Effect::Links, "sfnvrTLP", "t", &["symbolic", "force", "no-dereference", "relative", "verbose", "no-target-directory"], &["target-directory"]),
    row("chgrp", Effect::Changes, "RvcfhHLP", "", RECURSIVE, &[]),
    row("chmod", Effect::Changes, "Rvcf", "", RECURSIVE, &[]),
    row("chown", Effect::Changes, "RvcfhHLP", "", &["recursive", "verbose", "quiet", "silent", "changes", "no-dereference", "from", "dereference"], &[]),
    row("install", Effect::Installs, "bcCdDpsvT", "mogt", &["directory", "verbose", "compare", "strip", "preserve-timestamps"], &["mode", "owner", "group", "target-directory"]),
    row("sync", Effect::Nothing, "", "", VERBOSE, &[]),
];

/// Describes a program of the table, or `find`.
pub(super) fn run(call: &mut Call<'_>) -> Described {
    if call.name == "find" {
        return find(call);
    }
    let Some(program) = PROGRAMS.iter().find(|p| p.name == call.name) else {
        return Err("what it reads and writes is not known".to_string());
    };
    if matches!(call.arguments, [a] if matches!(a.known(), Some("--version" | "--help"))) {
        return Ok(());
    }
    if program.effect == Effect::Nothing && matches!(call.name, "echo" | "printf" | "expr") {
        return Ok(());
    }
    let mut arguments = call.arguments.to_vec();
    // `chmod -x file`: a mode, not an option.
    let mut mode = None;
    if call.name == "chmod"
        && let Some(at) = arguments.iter().position(|a| is_mode(a.start()))
    {
        mode = Some(arguments.remove(at));
    }
    let mut parsed = parse(&arguments, &program.spec)?;
    if let Some(mode) = mode {
        parsed.operands.insert(0, mode);
    }
    apply(call, program.effect, &parsed)
}

/// A mode that starts with a dash.
fn is_mode(text: &str) -> bool {
    text.strip_prefix('-')
        .is_some_and(|m| !m.is_empty() && m.bytes().all(|b| b"rwxXst".contains(&b)))
}

fn apply(call: &mut Call<'_>, effect: Effect, parsed: &Parsed) -> Described {
    let operands = &parsed.operands;
    match effect {
        Effect::Nothing => {}
        Effect::Reads => {
            for file in operands.iter().filter(|f| f.known() != Some("-")) {
                call.read(file, Extent::Exact)?;
            }
        }
        Effect::ReadsTrees => {
            if operands.is_empty() {
                let cwd = call.directory()?.to_string();
                call.claims.read(Extent::Subtree, cwd);
            }
            for file in operands {
                call.read(file, Extent::Subtree)?;
            }
        }
        Effect::Searches => {
            let skip = usize::from(!parsed.has(&["e", "regexp"]));
            let files = operands.get(skip..).unwrap_or_default();
            let deep = parsed.has(&["r", "R", "recursive"]);
            if files.is_empty() && deep {
                let cwd = call.directory()?.to_string();
                call.claims.read(Extent::Subtree, cwd);
            }
            let extent = if deep { Extent::Subtree } else { Extent::Exact };
            for file in files.iter().filter(|f| f.known() != Some("-")) {
                call.read(file, extent)?;
            }
        }
        Effect::Writes => {
            for file in operands {
                call.write(file, Extent::Exact)?;
            }
        }
        Effect::Directories => {
            for directory in operands {
                if parsed.has(&["p", "parents"]) {
                    call.create_directories(directory)?;
                } else {
                    call.write(directory, Extent::Exact)?;
                }
            }
        }
        Effect::Removes => {
            for path in operands {
                call.write(path, Extent::Subtree)?;
            }
        }
        Effect::Copies | Effect::Moves | Effect::Links => transfer(call, effect, parsed)?,
        Effect::Changes => {
            let deep = parsed.has(&["R", "recursive"]);
            let extent = if deep { Extent::Subtree } else { Extent::Exact };
            for path in operands.iter().skip(1) {
                call.write(path, extent)?;
            }
        }
        Effect::Installs if parsed.has(&["d", "directory"]) => {
            for directory in operands {
                call.create_directories(directory)?;
            }
        }
        Effect::Installs => {
            if parsed.has(&["D"]) {
                let target = parsed.values(&["t", "target-directory"]).next();
                if let Some(target) = target.or(operands.last()).cloned() {
                    call.create_directories(&target)?;
                }
            }
            transfer(call, Effect::Copies, parsed)?;
        }
    }
    Ok(())
}

/// `cp`, `mv`, `ln`: sources and one destination.
fn transfer(call: &mut Call<'_>, effect: Effect, parsed: &Parsed) -> Described {
    let here = Argument::Known(".".to_string());
    let target = parsed.values(&["t", "target-directory"]).next();
    let (sources, target): (&[Argument], &Argument) = match (target, parsed.operands.as_slice()) {
        (Some(target), sources) => (sources, target),
        // `ln -s /x/name` makes ./name.
        (None, [source]) if effect == Effect::Links => {
            let name = source
                .known()
                .and_then(|s| s.trim_end_matches('/').rsplit('/').next());
            let name = name.ok_or("a path is not known")?.to_string();
            return call.write(&Argument::Known(name), Extent::Subtree);
        }
        (None, [sources @ .., target]) if !sources.is_empty() => (sources, target),
        _ => (&[], &here),
    };
    if sources.is_empty() {
        return Err("its operands are not known".to_string());
    }
    for source in sources {
        match effect {
            Effect::Links if parsed.has(&["s", "symbolic"]) => {}
            Effect::Links => call.read(source, Extent::Exact)?,
            Effect::Moves => {
                call.read(source, Extent::Subtree)?;
                call.write(source, Extent::Subtree)?;
            }
            _ => call.read(source, Extent::Subtree)?,
        }
    }
    call.write(target, Extent::Subtree)
}

/// `find` reads trees, unless it acts on what it finds.
fn find(call: &mut Call<'_>) -> Described {
    let acts = |a: &Argument| {
        let t = a.start();
        [
            "-exec",
            "-ok",
            "-delete",
            "-fprint",
            "-fls",
            "-files0",
            "-newer",
            "-anewer",
            "-cnewer",
            "-samefile",
        ]
        .iter()
        .any(|p| t.starts_with(p))
    };
    if call.arguments.iter().any(acts) {
        return Err("it acts on the files it finds".to_string());
    }
    let unclear = |a: &Argument| matches!(a, Argument::Unknown { prefix } if prefix.is_empty());
    if call.arguments.iter().any(unclear) {
        return Err("an argument is not known".to_string());
    }
    let starts = call
        .arguments
        .iter()
        .skip_while(|a| matches!(a.known(), Some("-L" | "-H" | "-P")));
    let paths: Vec<Argument> = starts
        .take_while(|a| !a.start().starts_with(['-', '(', '!']))
        .cloned()
        .collect();
    if paths.is_empty() {
        let cwd = call.directory()?.to_string();
        call.claims.read(Extent::Subtree, cwd);
    }
    for path in &paths {
        call.read(path, Extent::Subtree)?;
    }
    Ok(())
}
