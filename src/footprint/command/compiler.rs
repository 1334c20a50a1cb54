//! C compilers called directly, and strip. Headers may come from anywhere below the directories that are
//! named, so trees are read.

use super::super::Extent;
use super::super::argument::Argument;
use super::super::options::{Spec, parse};
use super::{Call, Described, common};

/// Beginnings of options that name no file.
#[rustfmt::skip]
const PLAIN: &[&str] = &[
    "-O", "-g", "-std=", "-D", "-U", "-l", "-m", "-pthread", "-shared", "-static", "-fPIC",
    "-fPIE", "-fpic", "-fpie", "-fno-", "-fstack-protector", "-fstack-clash-protection", "-fomit-",
    "-ffast-math", "-fvisibility", "-flto", "-fopenmp", "-fwrapv", "-fcommon", "-funroll",
    "-ffunction-sections", "-fdata-sections", "-fexceptions", "-fpermissive", "-pipe", "-ansi",
    "-pedantic", "-rdynamic", "-no-pie", "-pie", "-nostdlib", "-nostartfiles", "-nodefaultlibs",
    "-stdlib=", "-Wl,--as-needed", "-Wl,--no-as-needed", "-Wl,-s", "-Wl,-z,", "-Wl,--gc-sections",
    "-Wl,-rpath", "-Wl,-O", "-Wl,-soname", "-Wl,--strip", "-Wl,-Bstatic", "-Wl,-Bdynamic",
    "-Wl,--start-group", "-Wl,--end-group", "-Wl,--allow-multiple-definition",
    "-Wl,--no-undefined", "-Wl,--whole-archive", "-Wl,--no-whole-archive",
];

/// Variables that name files or directories to a compiler.
#[rustfmt::skip]
const UNCLEAR: &[&str] = &[
    "CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "OBJC_INCLUDE_PATH", "LIBRARY_PATH",
    "GCC_EXEC_PREFIX", "COMPILER_PATH", "DEPENDENCIES_OUTPUT", "SUNPRO_DEPENDENCIES",
    "CCC_OVERRIDE_OPTIONS",
];

/// Whether a name is that of a compiler, with or without a version or a target.
pub(super) fn is_compiler(name: &str) -> bool {
    let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    let bare = bare.rsplit_once('-').map_or(bare, |(_, last)| last);
    matches!(bare, "gcc" | "g++" | "cc" | "c++" | "clang" | "clang++") || name == "musl-gcc"
}

/// Describes a compiler.
pub(super) fn run(call: &mut Call<'_>) -> Described {
    let asks = [
        "--version",
        "-dumpversion",
        "-dumpmachine",
        "-dumpfullversion",
    ];
    if matches!(call.arguments, [a] if a.known().is_some_and(|t| asks.contains(&t))) {
        return Ok(());
    }
    call.refuse(|n| UNCLEAR.contains(&n) || n.starts_with("CCACHE_") || n.starts_with("SCCACHE_"))?;
    let directory = call.directory()?.to_string();
    let (mut output, mut separate, mut prints, mut sources) = (None, false, false, 0);
    let mut rest = call.arguments.iter();
    while let Some(argument) = rest.next() {
        let text = match argument {
            Argument::Known(text) => text.as_str(),
            Argument::Pattern { prefix, .. }
                if !prefix.starts_with(['-', '@']) && !prefix.is_empty() =>
            {
                call.read(argument, Extent::Subtree)?;
                sources += 1;
                continue;
            }
            Argument::Pattern { .. } => {
                // Names that match may look like options, but not in practice.
                call.claims.read(Extent::Subtree, directory.clone());
                sources += 1;
                continue;
            }
            // A macro's value may be anything.
            Argument::Unknown { prefix } if prefix.starts_with("-D") => continue,
            Argument::Unknown { .. } => {
                return Err(format!("argument {} is not known", argument.shown()));
            }
        };
        // The value behind an option that may have it attached.
        let mut value = |option: &str| -> Result<Argument, String> {
            match text.strip_prefix(option) {
                Some("") => rest
                    .next()
                    .cloned()
                    .ok_or_else(|| format!("option {option} lacks its value")),
                Some(attached) => Ok(Argument::Known(attached.to_string())),
                None => Err(format!("option {option} lacks its value")),
            }
        };
        match text {
            "-c" | "-S" => separate = true,
            "-E" | "-fsyntax-only" => prints = true,
            "-I-" | "-pass-exit-codes" => return Err(format!("option {text} is not known")),
            _ if text.starts_with("-o") => output = Some(value("-o")?),
            _ if text.starts_with("-isystem") => call.read(&value("-isystem")?, Extent::Subtree)?,
            _ if text.starts_with("-iquote") => call.read(&value("-iquote")?, Extent::Subtree)?,
            _ if text.starts_with("-include") => call.read(&value("-include")?, Extent::Exact)?,
            _ if text.starts_with("-I") => call.read(&value("-I")?, Extent::Subtree)?,
            _ if text.starts_with("-L") => call.read(&value("-L")?, Extent::Subtree)?,
            _ if text.starts_with("-MF") => {
                let file = value("-MF")?;
                call.write(&file, Extent::Exact)?;
            }
            "-MD" | "-MMD" | "-MP" => separate = true,
            "-x" => {
                value("-x")?;
            }
            "-D" | "-U" | "-l" => {
                value(text)?;
            }
            "-" | "-s" | "-v" | "-w" => {}
            _ if text.starts_with("-W") && !text.contains(',') => {}
            _ if PLAIN.iter().any(|p| text.starts_with(p))
                && !["-gsplit", "-mllvm"].iter().any(|p| text.starts_with(p)) => {}
            _ if text.starts_with(['-', '@']) => return Err(format!("option {text} is not known")),
            _ => {
                call.read(argument, Extent::Exact)?;
                // Headers beside the source, or one or two directories above.
                let path = call.resolve(text)?;
                call.read_tree(&path);
                sources += 1;
            }
        }
    }
    if sources == 0 && !prints && output.is_none() {
        return Err("what it compiles is not known".to_string());
    }
    call.read_tree(&directory);
    match output {
        Some(file) => {
            call.write(&file, Extent::Exact)?;
            if separate {
                // A file of dependencies may lie beside the output.
                let text = file.known().ok_or("a path is not known")?;
                let stem = text.rsplit_once('.').map_or(text, |(s, _)| s).to_string();
                call.write(&Argument::Known(format!("{stem}.d")), Extent::Exact)?;
            }
        }
        None if prints => {}
        None => call.claims.write(Extent::Subtree, directory.clone()),
    }
    call.claims.write_all(&["/tmp"]);
    call.moved(&["TMPDIR"])?;
    call.claims.assume(format!(
        "sources include no file outside of {}, the directories on the command line and the system's",
        common::top_of(&directory)
    ));
    Ok(())
}

/// Describes strip.
pub(super) fn strip(call: &mut Call<'_>) -> Described {
    let spec = Spec {
        letters: "sgdSpvxXD",
        letters_with_value: "oRKN",
        names: &[
            "strip-all",
            "strip-debug",
            "strip-unneeded",
            "preserve-dates",
            "verbose",
            "discard-all",
            "enable-deterministic-archives",
        ],
        names_with_value: &["remove-section", "keep-symbol", "output-file"],
    };
    let parsed = parse(call.arguments, &spec)?;
    let output = parsed.values(&["output-file", "o"]).last();
    for file in &parsed.operands {
        call.read(file, Extent::Exact)?;
        if output.is_none() {
            call.write(file, Extent::Exact)?;
        }
    }
    output.iter().try_for_each(|o| call.write(o, Extent::Exact))
}

#[cfg(test)]
mod tests {
    use super::super::lines::{Line, check};

    #[rustfmt::skip]
    const LINES: &[Line] = &[
        ("gcc -O2 -Wall -o /usr/local/bin/x /src/x.c -lm", "", "/app/** /src/** /src/x.c", "/tmp/** /usr/local/bin/x"),
        ("cc -c -I/inc -DX=1 a.c", "", "/inc/** /app/**", "/app/** /tmp/**"),
        ("g++-12 -std=c++17 -static -o x a.cc b.cc -L /l -lz", "", "/app/** /l/**", "/app/x /tmp/**"),
        ("x86_64-linux-musl-gcc -c -o a.o a.c", "", "/app/**", "/app/a.d /app/a.o /tmp/**"),
        ("gcc -shared -fPIC -o /l.so src/*.c", "", "/app/**", "/l.so /tmp/**"),
        ("gcc -E a.c", "", "/app/**", "/tmp/**"),
        ("gcc a.c", "", "/app/**", "/app/** /tmp/**"),
        ("gcc a.c -o x $(pkg-config --libs y)", "pkg-config", "", ""),
        ("gcc a.c $FLAGS", "argument $", "", ""),
        ("gcc -fplugin=/x a.c", "option -fplugin", "", ""),
        ("gcc -specs=/x a.c", "option -specs", "", ""),
        ("gcc @args", "option @args", "", ""),
        ("gcc -Wl,-Map=/x a.c", "option -Wl", "", ""),
        ("gcc -wrapper x a.c", "option -wrapper", "", ""),
        ("gcc -gsplit-dwarf a.c", "option -gsplit-dwarf", "", ""),
        ("gcc -fstack-usage a.c", "option -fstack-usage", "", ""),
        ("gcc -save-temps a.c", "option -save-temps", "", ""),
        ("CPATH=/x gcc a.c", "CPATH is set", "", ""),
        ("gcc --version", "", "", ""),
        ("strip --strip-all /a b", "", "/a /app/b", "/a /app/b"),
        ("strip -o /c a", "", "/app/a", "/c"),
        ("strip --only-keep-debug a", "option --only-keep-debug", "", ""),
    ];

    #[test]
    fn compilers_have_their_footprints() {
        check(LINES);
    }
}
