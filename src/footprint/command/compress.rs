//! gzip, bzip2, xz, zstd and their relatives, and 7z: a file becomes another beside it.

use super::super::Extent;
use super::super::argument::Argument;
use super::super::options::{Spec, parse};
use super::{Call, Described, common};

/// One family.
struct Family {
    /// Names that compress, decompress, and print what was compressed.
    names: [&'static [&'static str]; 3],
    /// Endings of compressed files, and what is put in their place.
    endings: &'static [(&'static str, &'static str)],
    /// The source stays without `-k`.
    keeps: bool,
}

const FAMILIES: &[Family] = &[
    Family {
        names: [&["gzip", "pigz"], &["gunzip", "unpigz"], &["zcat", "gzcat"]],
        endings: &[
            (".gz", ""),
            (".tgz", ".tar"),
            (".taz", ".tar"),
            ("-gz", ""),
            (".z", ""),
            (".Z", ""),
        ],
        keeps: false,
    },
    Family {
        names: [&["bzip2", "pbzip2"], &["bunzip2"], &["bzcat"]],
        endings: &[
            (".bz2", ""),
            (".tbz2", ".tar"),
            (".tbz", ".tar"),
            (".bz", ""),
        ],
        keeps: false,
    },
    Family {
        names: [&["xz", "lzma"], &["unxz", "unlzma"], &["xzcat", "lzcat"]],
        endings: &[
            (".xz", ""),
            (".txz", ".tar"),
            (".lzma", ""),
            (".tlz", ".tar"),
        ],
        keeps: false,
    },
    Family {
        names: [&["zstd", "zstdmt"], &["unzstd"], &["zstdcat"]],
        endings: &[(".zst", ""), (".tzst", ".tar")],
        keeps: true,
    },
];

#[rustfmt::skip]
const OPTIONS: Spec = Spec {
    letters: "cdfklnqrtvz0123456789e",
    letters_with_value: "pT",
    names: &[
        "stdout", "to-stdout", "decompress", "uncompress", "force", "keep", "list", "no-name",
        "quiet", "recursive", "test", "verbose", "best", "fast", "compress", "extreme", "rm",
        "ultra", "no-progress", "rsyncable", "no-sync", "long",
    ],
    names_with_value: &["threads", "processes", "memlimit"],
};

/// Describes a program of a family.
pub(super) fn run(call: &mut Call<'_>) -> Described {
    let found = FAMILIES.iter().find_map(|f| {
        let way = f.names.iter().position(|n| n.contains(&call.name))?;
        Some((f, way))
    });
    let Some((family, way)) = found else {
        return Err("what it reads and writes is not known".to_string());
    };
    if matches!(call.arguments, [a] if matches!(a.known(), Some("--version" | "-V" | "--help" | "-h")))
    {
        return Ok(());
    }
    call.refuse(|n| {
        matches!(
            n,
            "GZIP" | "BZIP" | "BZIP2" | "XZ_OPT" | "XZ_DEFAULTS" | "PIGZ"
        )
    })?;
    let mut parsed = parse(call.arguments, &OPTIONS)?;
    if family.keeps && parsed.has(&["p", "n", "z"]) {
        return Err("an option is not known".to_string());
    }
    let prints = way == 2 || parsed.has(&["c", "stdout", "to-stdout", "t", "test", "l", "list"]);
    let unpacks = way == 1 || parsed.has(&["d", "decompress", "uncompress"]);
    let looks_in = way == 2 || unpacks || parsed.has(&["t", "test", "l", "list"]);
    let keeps = parsed.has(&["k", "keep"]) || (family.keeps && !parsed.has(&["rm"]));
    let deep = parsed.has(&["r", "recursive"]);
    for file in std::mem::take(&mut parsed.operands) {
        if file.known() == Some("-") {
            continue;
        }
        let extent = if deep { Extent::Subtree } else { Extent::Exact };
        call.read(&file, extent)?;
        // A name without an ending may stand for the file with one.
        let ends = |name: &str| family.endings.iter().any(|(end, _)| name.ends_with(end));
        if let Argument::Known(name) = &file
            && looks_in
            && !ends(name)
        {
            for (end, _) in family.endings {
                call.read(&Argument::Known(format!("{name}{end}")), Extent::Exact)?;
            }
        }
        if parsed.has(&["rm"]) {
            call.write(&file, extent)?;
        }
        if prints {
            continue;
        }
        let name = match &file {
            Argument::Known(name) if !deep => name,
            // What is in there becomes other files in there.
            Argument::Known(_) | Argument::Pattern { .. } => {
                call.write(&file, Extent::Subtree)?;
                continue;
            }
            Argument::Unknown { .. } => return Err("a path is not known".to_string()),
        };
        if !keeps {
            call.write(&file, Extent::Exact)?;
        }
        if unpacks {
            let found = family.endings.iter().find_map(|(end, instead)| {
                name.strip_suffix(end)
                    .map(|bare| format!("{bare}{instead}"))
            });
            let target = found.ok_or("its ending does not tell the other file's name")?;
            call.write(&Argument::Known(target), Extent::Exact)?;
        } else {
            for (end, _) in family.endings {
                call.write(&Argument::Known(format!("{name}{end}")), Extent::Exact)?;
            }
        }
    }
    Ok(())
}

/// Describes `7z x` and `7z e`; `-o` has its directory attached.
pub(super) fn seven_zip(call: &mut Call<'_>) -> Described {
    let texts = common::texts(call.arguments)?;
    let mut directory = ".";
    let mut operands = Vec::new();
    for text in &texts {
        match text.strip_prefix("-o") {
            Some(place) => directory = place,
            None if matches!(
                *text,
                "-y" | "-bd" | "-aoa" | "-aos" | "-r" | "-bso0" | "-bsp0" | "-bb0" | "-snl"
            ) => {}
            None if text.starts_with('-') => return Err(format!("option {text} is not known")),
            None => operands.push(*text),
        }
    }
    let (Some(&("x" | "e" | "l" | "t")), Some(archive)) = (operands.first(), operands.get(1))
    else {
        return Err("what it does is not known".to_string());
    };
    let archive = Argument::Known((*archive).to_string());
    let claim = call.path(&archive, Extent::Exact)?;
    // Archives in parts lie beside each other.
    match claim.path.rsplit_once('/') {
        Some((above, name))
            if name.ends_with(".001") || name.ends_with(".rar") || name.contains(".part") =>
        {
            let above = if above.is_empty() { "/" } else { above }.to_string();
            call.claims.read(Extent::Subtree, above);
        }
        _ => call.claims.read(claim.extent, claim.path),
    }
    if matches!(operands[0], "l" | "t") {
        return Ok(());
    }
    call.create_directories(&Argument::Known(directory.to_string()))?;
    call.write(&Argument::Known(directory.to_string()), Extent::Subtree)?;
    call.claims
        .assume("an archive is unpacked inside the directory it is given");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::lines::{Line, check};

    #[rustfmt::skip]
    const LINES: &[Line] = &[
        ("gunzip /d/x.gz", "", "/d/x.gz", "/d/x /d/x.gz"),
        ("gzip -d -k x.tgz", "", "/app/x.tgz", "/app/x.tar"),
        ("gzip -dc x.gz > y", "", "/app/x.gz", "/app/y"),
        ("gzip -9 x", "", "/app/x", "/app/x /app/x-gz /app/x.Z /app/x.gz /app/x.taz /app/x.tgz /app/x.z"),
        ("bzcat x > y", "", "/app/x /app/x.bz /app/x.bz2 /app/x.tbz /app/x.tbz2", "/app/y"),
        ("zstd -c x > y", "", "/app/x", "/app/y"),
        ("zcat x.gz | tar x", "", "/app/x.gz", "/app/**"),
        ("gzip -r /d", "", "/d/**", "/d/**"),
        ("gunzip /d/*.gz", "", "/d/**", "/d/**"),
        ("xz -d -T 0 x.xz", "", "/app/x.xz", "/app/x /app/x.xz"),
        ("bunzip2 x.tbz2", "", "/app/x.tbz2", "/app/x.tar /app/x.tbz2"),
        ("zstd -d x.zst", "", "/app/x.zst", "/app/x"),
        ("zstd --rm -19 x", "", "/app/x", "/app/x /app/x.tzst /app/x.zst"),
        ("zstd --long -q x", "", "/app/x", "/app/x.tzst /app/x.zst"),
        ("gunzip x", "its ending", "", ""),
        ("zstd -d x.gz", "its ending", "", ""),
        ("zstd --rm -c x > y", "", "/app/x", "/app/x /app/y"),
        ("gzip -S .q x", "option -S", "", ""),
        ("zstd -o y x", "option -o", "", ""),
        ("gunzip $X", "a path is not known", "", ""),
        ("XZ_OPT=-e xz x", "XZ_OPT is set", "", ""),
        ("curl https://e.org/x.gz | gunzip > /x", "", "net", "/x"),
        ("7z x -y a.7z -o/out", "", "/app/a.7z", "/out/**"),
        ("7z x a.zip.001", "", "/app/**", "/app/**"),
        ("7z a x.7z y", "what it does", "", ""),
        ("7z x -si", "option -si", "", ""),
    ];

    #[test]
    fn compression_has_its_footprints() {
        check(LINES);
    }
}
