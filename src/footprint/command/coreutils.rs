//! The everyday programs of coreutils, findutils and grep, as one table.
//!
//! Each row has the options that change nothing but what its [`Effect`] says. Where a destination may
//! be a directory, everything below it is claimed.

use super::super::argument::Argument;
use super::super::options::{Parsed, Spec, parse};
use super::super::path_set::resolve;
use super::super::{Extent, PathClaim};
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
    row("stat", Effect::ReadsTrees, "Lt", "c", &["dereference"], &["format", "printf"]),
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
    row("install", Effect::Installs, "cCdDpsvT", "mogt", &["directory", "verbose", "compare", "strip", "preserve-timestamps"], &["mode", "owner", "group", "target-directory"]),
    row("sync", Effect::Nothing, "", "", VERBOSE, &[]),
];

/// Whether a program is in the table.
pub(super) fn knows(name: &str) -> bool {
    PROGRAMS.iter().any(|p| p.name == name)
}

/// Describes a program of the table.
pub(super) fn run(call: &mut Call<'_>) -> Described {
    let Some(program) = PROGRAMS.iter().find(|p| p.name == call.name) else {
        return Err("what it reads and writes is not known".to_string());
    };
    if matches!(call.arguments, [a] if matches!(a.known(), Some("--version" | "--help"))) {
        return Ok(());
    }
    if program.effect == Effect::Nothing && matches!(call.name, "echo" | "printf" | "expr") {
        return Ok(());
    }
    surroundings(call);
    // What is not known may be an option, unless it stands behind `--`.
    let mut given = call
        .arguments
        .iter()
        .take_while(|a| a.known() != Some("--"));
    let unclear = |a: &Argument| matches!(a, Argument::Unknown { prefix } if prefix.is_empty());
    if program.effect != Effect::Nothing && given.any(unclear) {
        return Err("a path is not known".to_string());
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

/// What some programs look at beside their operands.
fn surroundings(call: &mut Call<'_>) {
    match call.name {
        "date" | "uname" | "arch" | "nproc" | "hostname" | "getconf" => call.claims.varies = true,
        "printenv" => call.claims.any_variable = true,
        "id" | "whoami" => {
            call.claims.read(Extent::Exact, "/etc/passwd");
            call.claims.read(Extent::Exact, "/etc/group");
        }
        _ => {}
    }
}

/// Whether times, inode numbers, sizes on disk or the order of a folder may show in what it prints.
fn looks_at_times(name: &str, parsed: &Parsed) -> bool {
    match name {
        "stat" | "du" => true,
        "ls" => parsed.has(&[
            "l",
            "t",
            "c",
            "u",
            "U",
            "f",
            "s",
            "S",
            "i",
            "n",
            "g",
            "o",
            "full-time",
        ]),
        // Their heads name the times of both files.
        "diff" => parsed.has(&["u", "c", "unified"]),
        "cp" | "mv" => parsed.has(&["u", "update", "v", "verbose"]),
        // What is said of each goes by the order of folders.
        "rm" | "chmod" | "chown" | "chgrp" => {
            parsed.has(&["r", "R", "recursive"]) && parsed.has(&["v", "c", "verbose", "changes"])
        }
        // Folders are read in their own order.
        "grep" | "egrep" | "fgrep" => parsed.has(&["r", "R", "recursive"]),
        _ => false,
    }
}

/// A mode that starts with a dash.
fn is_mode(text: &str) -> bool {
    text.strip_prefix('-')
        .is_some_and(|m| !m.is_empty() && m.bytes().all(|b| b"rwxXst".contains(&b)))
}

fn apply(call: &mut Call<'_>, effect: Effect, parsed: &Parsed) -> Described {
    let operands = &parsed.operands;
    if looks_at_times(call.name, parsed) {
        if operands.is_empty() {
            let cwd = call.directory()?.to_string();
            call.claims.observe(Extent::Subtree, cwd);
        }
        for operand in operands {
            if let Ok(claim) = call.path(operand, Extent::Subtree) {
                call.claims.observe(claim.extent, claim.path);
            }
        }
    }
    match effect {
        Effect::Nothing if call.name == "which" => {
            for program in operands {
                match program.known() {
                    Some(name) => {
                        call.claims.look_for_program(name);
                        let path = call.shell.variables.get("PATH").cloned().flatten();
                        for entry in path.iter().flat_map(|p| p.split(':')) {
                            if let Some(place) = resolve(None, &format!("{entry}/{name}")) {
                                call.claims.read(Extent::Exact, place);
                            }
                        }
                    }
                    None => call.claims.read_system(),
                }
            }
        }
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
            // A mode holds for the last folder, where it is not there yet.
            let plain = !parsed.has(&["m", "mode"]);
            for directory in operands {
                if parsed.has(&["p", "parents"]) {
                    call.create_directories(directory)?;
                }
                if !plain || !parsed.has(&["p", "parents"]) {
                    call.write(directory, Extent::Exact)?;
                }
            }
        }
        Effect::Removes => {
            for path in operands {
                call.write(path, Extent::Subtree)?;
                // `rmdir a/b` with `-p` would go on to `a`; the table does not have it.
                if call.name == "rmdir" {
                    call.read(path, Extent::Subtree)?;
                }
            }
        }
        Effect::Copies | Effect::Moves | Effect::Links => transfer(call, effect, parsed)?,
        Effect::Changes => {
            let deep = parsed.has(&["R", "recursive"]);
            let extent = if deep { Extent::Subtree } else { Extent::Exact };
            match (call.name, operands.first()) {
                ("chown", Some(owner)) => call.read_owner(owner),
                ("chgrp", Some(group)) => match group.known() {
                    Some(name) => call.claims.read_group(name),
                    None => call.claims.read(Extent::Exact, "/etc/group"),
                },
                _ => {}
            }
            let forced = parsed.has(&["f", "silent", "quiet"]);
            for path in operands.iter().skip(1) {
                call.write(path, extent)?;
                let place = call.path(path, extent)?;
                if !forced && path.known().is_some() && place.extent == extent {
                    call.claims.require(&place.path);
                }
            }
        }
        Effect::Installs if parsed.has(&["d", "directory"]) => {
            owners(call, parsed);
            for directory in operands {
                call.create_directories(directory)?;
                // Its mode is set in any case.
                call.write(directory, Extent::Exact)?;
            }
        }
        Effect::Installs => {
            owners(call, parsed);
            if parsed.has(&["D"]) {
                let folder = parsed.values(&["t", "target-directory"]).next();
                match (folder.cloned(), operands.last()) {
                    (Some(folder), _) => call.create_directories(&folder)?,
                    (None, Some(target)) => {
                        let target = call.path(target, Extent::Exact)?;
                        if let Some((above, _)) = target.path.rsplit_once('/')
                            && !above.is_empty()
                        {
                            call.claims.make(above);
                        }
                    }
                    (None, None) => {}
                }
            }
            transfer(call, Effect::Copies, parsed)?;
        }
    }
    Ok(())
}

/// `install -o user -g group`
fn owners(call: &mut Call<'_>, parsed: &Parsed) {
    for user in parsed.values(&["o", "owner"]) {
        call.read_owner(&user.clone());
    }
    for group in parsed.values(&["g", "group"]) {
        match group.known() {
            Some(name) => call.claims.read_group(name),
            None => call.claims.read(Extent::Exact, "/etc/group"),
        }
    }
}

/// `cp`, `mv`, `ln`: sources and one destination.
fn transfer(call: &mut Call<'_>, effect: Effect, parsed: &Parsed) -> Described {
    let here = Argument::Known(".".to_string());
    let named = parsed.values(&["t", "target-directory"]).next();
    let (sources, target): (&[Argument], &Argument) = match (named, parsed.operands.as_slice()) {
        (Some(target), sources) => (sources, target),
        // `ln -s /x/name` makes ./name.
        (None, [source]) if effect == Effect::Links => (std::slice::from_ref(source), &here),
        (None, [sources @ .., target]) if !sources.is_empty() => (sources, target),
        _ => (&[], &here),
    };
    if sources.is_empty() {
        return Err("its operands are not known".to_string());
    }
    // Whether the target is surely a folder that takes the sources by their names.
    let inside = named.is_some()
        || sources.len() > 1
        || parsed.operands.len() == 1
        || target.known().is_some_and(|t| t.ends_with('/'));
    let whole = parsed.has(&["parents"]) || parsed.has(&["T", "no-target-directory"]);
    for source in sources {
        let from = call.path(source, Extent::Subtree);
        match effect {
            Effect::Links if parsed.has(&["s", "symbolic"]) => {}
            // Both names are one file from now on.
            Effect::Links => call.write(source, Extent::Exact)?,
            Effect::Moves => {
                call.read(source, Extent::Subtree)?;
                call.write(source, Extent::Subtree)?;
            }
            _ => call.read(source, Extent::Subtree)?,
        }
        let name = base_name(source).filter(|_| inside && !whole);
        let place = match (&name, target.known()) {
            (Some(name), Some(folder)) => {
                call.read(target, Extent::Exact)?;
                Argument::Known(format!("{folder}/{name}"))
            }
            _ => target.clone(),
        };
        call.write(&place, Extent::Subtree)?;
        let to = call.path(&place, Extent::Subtree)?;
        if effect == Effect::Links {
            let exact = name.is_some() || exact_place(parsed);
            match parsed.has(&["s", "symbolic"]) {
                true => links(call, source, &to, exact, parsed),
                false => same_file(call, &from?, &to, exact, base_name(source)),
            }
        } else if parsed.has(&["l", "s", "link", "symbolic-link"]) {
            call.claims.link(Extent::Subtree, to.path, None);
            if let Ok(from) = from {
                call.claims.link(Extent::Subtree, from.path, None);
            }
        } else if (effect == Effect::Moves || parsed.has(TAKES_ALONG))
            && let Ok(from) = from
        {
            call.claims.carry(from, to);
        }
    }
    Ok(())
}

/// Options of `cp` with which links, times or the order of folders are taken along.
const TAKES_ALONG: &[&str] = &[
    "r",
    "R",
    "a",
    "d",
    "P",
    "p",
    "recursive",
    "archive",
    "no-dereference",
    "preserve",
];

/// Options with which an existing folder is not entered.
fn exact_place(parsed: &Parsed) -> bool {
    parsed.has(&["n", "no-dereference", "T", "no-target-directory"])
}

/// The link that `ln` leaves at a place, or in it where that is a folder already.
fn links(call: &mut Call<'_>, source: &Argument, to: &PathClaim, exact: bool, parsed: &Parsed) {
    let symbolic = parsed.has(&["s", "symbolic"]) && !parsed.has(&["r", "relative"]);
    let leads = |at: &str| {
        // Where it climbs, links on the way decide where it leads.
        let plain = |t: &&str| symbolic && !t.contains("..");
        let text = source.known().filter(plain)?;
        resolve(at.rsplit_once('/').map(|(folder, _)| folder), text)
    };
    let place = to.path.clone();
    let to = leads(&place);
    call.claims.link(Extent::Exact, place.clone(), to);
    if exact {
        return;
    }
    match base_name(source) {
        Some(name) => {
            let inside = format!("{}/{name}", place.trim_end_matches('/'));
            let to = leads(&inside);
            call.claims.link_instead(inside, to);
        }
        None => call.claims.link(Extent::Subtree, place, None),
    }
}

/// A hard link: whoever changes one changes the other.
fn same_file(
    call: &mut Call<'_>,
    from: &PathClaim,
    to: &PathClaim,
    exact: bool,
    name: Option<String>,
) {
    call.claims.same_file(&from.path, &to.path);
    if let Some(name) = name.filter(|_| !exact) {
        let inside = format!("{}/{name}", to.path.trim_end_matches('/'));
        call.claims.same_file(&from.path, &inside);
    }
}

/// The last part of a source's name, where it is one.
fn base_name(source: &Argument) -> Option<String> {
    let name = source.known()?.trim_end_matches('/').rsplit('/').next()?;
    (!matches!(name, "" | "." | "..")).then(|| name.to_string())
}
