//! tar and unzip: an archive unpacks below one directory.

use super::super::Extent;
use super::super::argument::Argument;
use super::super::options::{Spec, parse};
use super::{Call, Described};

const TAR: Spec = Spec {
    letters: "xctvzjJpohkmOaw",
    letters_with_value: "fC",
    names: &[
        "extract",
        "create",
        "list",
        "verbose",
        "gzip",
        "bzip2",
        "xz",
        "zstd",
        "auto-compress",
        "no-same-owner",
        "no-same-permissions",
        "same-owner",
        "wildcards",
        "overwrite",
        "no-overwrite-dir",
        "keep-old-files",
        "preserve-permissions",
        "touch",
        "totals",
    ],
    names_with_value: &[
        "file",
        "directory",
        "strip-components",
        "strip",
        "exclude",
        "owner",
        "group",
        "mode",
        "warning",
    ],
};

const UNZIP: Spec = Spec {
    letters: "qonjuvltLCpaX",
    letters_with_value: "d",
    names: &[],
    names_with_value: &[],
};

/// Describes tar.
pub(super) fn tar(call: &mut Call<'_>) -> Described {
    let mut arguments = call.arguments.to_vec();
    // `tar xzf a.tgz`: the first argument may do without its dash. Its values follow in order, which
    // is the same as for a cluster while there is one letter with a value, at the end.
    if let Some(Argument::Known(first)) = arguments.first_mut()
        && !first.starts_with('-')
    {
        first.insert(0, '-');
    }
    if let Some(first) = arguments.first().and_then(Argument::known)
        && let Some(at) = first.find(['f', 'C'])
        && !first.starts_with("--")
        && at + 1 != first.len()
    {
        return Err(format!("option {first} is not known"));
    }
    let parsed = parse(&arguments, &TAR)?;
    let directories: Vec<_> = parsed.values(&["C", "directory"]).cloned().collect();
    let here = Argument::Known(".".to_string());
    let directory = match directories.as_slice() {
        [] => here,
        [one] => one.clone(),
        _ => return Err("it changes the directory twice".to_string()),
    };
    let file = parsed.values(&["f", "file"]).last().cloned();
    let file = file.filter(|f| f.known() != Some("-"));
    if parsed.has(&["x", "extract"]) {
        if let Some(file) = &file {
            call.read(file, Extent::Exact)?;
        }
        if parsed.has(&["O"]) {
            return Ok(());
        }
        call.write(&directory, Extent::Subtree)?;
        call.claims
            .assume("an archive is unpacked inside the directory it is given");
        Ok(())
    } else if parsed.has(&["t", "list"]) {
        file.iter().try_for_each(|f| call.read(f, Extent::Exact))
    } else if parsed.has(&["c", "create"]) {
        if let Some(file) = &file {
            call.write(file, Extent::Exact)?;
        }
        call.read(&directory, Extent::Subtree)?;
        for operand in &parsed.operands {
            let text = operand.known().ok_or("a path is not known")?;
            if text.starts_with('/') || text.contains("..") {
                call.read(operand, Extent::Subtree)?;
            }
        }
        Ok(())
    } else {
        Err("what it does is not known".to_string())
    }
}

/// Describes unzip.
pub(super) fn unzip(call: &mut Call<'_>) -> Described {
    let parsed = parse(call.arguments, &UNZIP)?;
    let archive = parsed.operands.first().ok_or("the archive is not known")?;
    call.read(archive, Extent::Exact)?;
    if parsed.has(&["l", "t", "p", "v"]) {
        return Ok(());
    }
    let here = Argument::Known(".".to_string());
    let directory = parsed.values(&["d"]).last().unwrap_or(&here);
    call.write(directory, Extent::Subtree)?;
    call.claims
        .assume("an archive is unpacked inside the directory it is given");
    Ok(())
}
