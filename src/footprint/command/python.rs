//! `python -m` with pip, venv, virtualenv and compileall, virtualenv by itself, and Babel's compiler of message
//! catalogues. Any other use of an interpreter runs a program of the project.

use super::super::Extent;
use super::super::argument::Argument;
use super::super::options::{Spec, parse};
use super::{Call, Described, common, pip};

#[rustfmt::skip]
const VENV: Spec = Spec {
    letters: "qv",
    letters_with_value: "p",
    names: &[
        "system-site-packages", "copies", "symlinks", "clear", "upgrade", "without-pip",
        "upgrade-deps", "always-copy", "no-download", "download", "no-pip", "no-setuptools",
        "no-wheel", "quiet", "verbose",
    ],
    names_with_value: &["prompt", "python", "pip", "setuptools", "wheel"],
};

const COMPILEALL: Spec = Spec {
    letters: "qfbl",
    letters_with_value: "jr",
    names: &[],
    names_with_value: &["invalidation-mode"],
};

#[rustfmt::skip]
const PYBABEL_COMPILE: Spec = Spec {
    letters: "f",
    letters_with_value: "Ddl",
    names: &["use-fuzzy", "statistics"],
    names_with_value: &["domain", "directory", "locale"],
};

/// Describes an interpreter.
pub(super) fn run(call: &mut Call<'_>) -> Described {
    let mut arguments = call.arguments;
    // Unbuffered, no bytecode files, no user's packages: none changes what is written where.
    while let [flag, rest @ ..] = arguments
        && matches!(flag.known(), Some("-u" | "-B" | "-s" | "-I"))
    {
        arguments = rest;
    }
    match arguments {
        [m, module, rest @ ..] if m.known() == Some("-m") => {
            call.claims
                .assume("no file of the working directory shadows a Python module");
            match module.known() {
                Some("pip") => pip::run(call, rest),
                Some("venv") => environment(call, rest, false),
                Some("virtualenv") => environment(call, rest, true),
                Some("compileall") => compileall(call, rest),
                _ => Err(format!("it runs the module {}", module.shown())),
            }
        }
        [v] if matches!(v.known(), Some("--version" | "-V")) => Ok(()),
        _ => Err("it runs a program that is not known".to_string()),
    }
}

/// Describes `virtualenv`.
pub(super) fn virtualenv(call: &mut Call<'_>) -> Described {
    if call.asks() {
        return Ok(());
    }
    environment(call, call.arguments, true)
}

/// Variables that change which modules an interpreter finds.
pub(super) fn refuse_settings(call: &mut Call<'_>) -> Described {
    call.refuse(|n| matches!(n, "PYTHONHOME" | "PYTHONUSERBASE" | "PYTHONPYCACHEPREFIX"))?;
    if call.shell.variables.contains_key("PYTHONPATH") {
        call.claims
            .assume("no file below PYTHONPATH shadows a Python module");
    }
    Ok(())
}

/// Writes where packages are installed to: the system's Python and the environments in PATH.
pub(super) fn installs(call: &mut Call<'_>) -> Described {
    call.claims.write_all(pip::WRITES);
    call.moved(&["VIRTUAL_ENV", "CONDA_PREFIX"])?;
    for root in call.roots()? {
        call.claims.write(Extent::Subtree, root);
    }
    Ok(())
}

/// A new virtual environment.
fn environment(call: &mut Call<'_>, arguments: &[Argument], virtualenv: bool) -> Described {
    let parsed = parse(arguments, &VENV)?;
    common::no_values(&parsed, VENV.names)?;
    refuse_settings(call)?;
    call.refuse(|n| n.starts_with("VIRTUALENV_"))?;
    if parsed.operands.is_empty() {
        return Err("the directory is not known".to_string());
    }
    for directory in common::texts(&parsed.operands)? {
        let directory = Argument::Known(directory.to_string());
        call.create_directories(&directory)?;
        call.read(&directory, Extent::Subtree)?;
        call.write(&directory, Extent::Subtree)?;
    }
    for interpreter in parsed.values(&["p", "python"]) {
        let text = interpreter.known().ok_or("the interpreter is not known")?;
        if text.contains('/') {
            call.read(interpreter, Extent::Exact)?;
        }
    }
    call.tool(&[])?;
    if virtualenv || parsed.has(&["upgrade-deps"]) {
        call.claims.network = true;
    }
    call.claims.assume(
        "making a virtual environment writes only its directory, the home directory and /tmp",
    );
    Ok(())
}

/// Bytecode beside the sources.
fn compileall(call: &mut Call<'_>, arguments: &[Argument]) -> Described {
    let parsed = parse(arguments, &COMPILEALL)?;
    refuse_settings(call)?;
    if parsed.operands.is_empty() {
        return Err("what it compiles is not known".to_string());
    }
    for place in &parsed.operands {
        call.read(place, Extent::Subtree)?;
        // Beside a file is its __pycache__.
        let claim = call.path(place, Extent::Subtree)?;
        match claim.path.rsplit_once('/') {
            Some((above, name)) if name.ends_with(".py") => {
                call.claims
                    .write(Extent::Subtree, format!("{above}/__pycache__"));
                call.claims.write(Extent::Exact, format!("{}c", claim.path));
            }
            _ => call.claims.write(claim.extent, claim.path),
        }
    }
    Ok(())
}

/// `pybabel compile -d DIRECTORY`: a compiled catalogue beside each catalogue. The other commands look into sources.
pub(super) fn pybabel(call: &mut Call<'_>) -> Described {
    if call.asks() {
        return Ok(());
    }
    let Some(("compile", rest)) = call
        .arguments
        .split_first()
        .and_then(|(first, rest)| Some((first.known()?, rest)))
    else {
        return Err("it does more than to compile catalogues".to_string());
    };
    let parsed = parse(rest, &PYBABEL_COMPILE)?;
    common::no_values(&parsed, PYBABEL_COMPILE.names)?;
    refuse_settings(call)?;
    let mut directories = parsed.values(&["d", "directory"]);
    let (Some(directory), None, true) = (
        directories.next(),
        directories.next(),
        parsed.operands.is_empty(),
    ) else {
        return Err("which catalogues it compiles is not known".to_string());
    };
    call.read(directory, Extent::Subtree)?;
    call.write(directory, Extent::Subtree)?;
    // Newer ones look there for a table of theirs.
    let manifest = Argument::Known("pyproject.toml".to_string());
    call.read(&manifest, Extent::Exact)?;
    // An interpreter that root starts may leave bytecode beside the modules it loads.
    call.claims.write_all(&["/opt", "/usr/lib", "/usr/local"]);
    call.claims.assume(
        "pybabel loads its own modules, and compiles catalogues to files beside them alone",
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::lines::{Line, check};

    #[rustfmt::skip]
    const LINES: &[Line] = &[
        ("python3 -m venv /opt/venv", "", "/opt/venv/** /usr/lib/**", "/opt /opt/venv/** /root/** tmp"),
        ("python -m venv --system-site-packages .venv", "", "/app/.venv/**", "/app /app/.venv/** /root/** tmp"),
        ("python -m venv --upgrade-deps /v", "", "net", "/v/** /root/** tmp"),
        ("virtualenv -p python3.9 /v", "", "net", "/v/** /root/** tmp"),
        ("virtualenv -p /o/bin/python /v", "", "net /o/bin/python", "/v/** /root/** tmp"),
        ("virtualenv --relocatable /v", "option", "", ""),
        ("VIRTUALENV_APP_DATA=/x virtualenv /v", "VIRTUALENV_APP_DATA", "", ""),
        ("python -m venv $X", "argument $", "", ""),
        ("python -u -B -m compileall -q src", "", "/app/src/**", "/app/src/**"),
        ("python -m compileall -o 1 src", "option", "", ""),
        ("python -m http.server", "module http.server", "", ""),
        ("python manage.py migrate", "program", "", ""),
        ("python --version", "", "", ""),
        ("PYTHONHOME=/x python -m venv /v", "PYTHONHOME", "", ""),
        (". /v/bin/activate && pip install x", "", "net /v/bin/activate /usr/bin/**", "/etc/** /opt/** /root/** /usr/bin/** /usr/include/** /usr/lib/** /usr/local/** /usr/share/** /v/** /var/cache/** /var/lib/** tmp"),
        ("source v/bin/activate && pip uninstall --yes x", "", "/app/v/bin/activate", "/app/v/** /etc/** /opt/** /root/** /usr/bin/** /usr/include/** /usr/lib/** /usr/local/** /usr/share/** /var/cache/** /var/lib/** tmp"),
        (". activate", "in the shell itself", "", ""),
        (". /usr/bin/activate", "in the shell itself", "", ""),
        (". /v/bin/activate x", "in the shell itself", "", ""),
        (". $V/bin/activate", "in the shell itself", "", ""),
        (". /v/bin/activate && deactivate", "deactivate", "", ""),
        ("pybabel compile -d po", "", "/app/po/** /app/pyproject.toml", "/app/po/** /opt/** /usr/lib/** /usr/local/**"),
        ("pybabel compile -f --statistics -D web --directory=/app/po -l de", "", "/app/po/** /app/pyproject.toml", "/app/po/** /opt/** /usr/lib/** /usr/local/**"),
        ("pybabel compile -i a.po -o a.mo", "option -i", "", ""),
        ("pybabel compile", "which catalogues", "", ""),
        ("pybabel extract -F babel.cfg -o m.pot .", "more than to compile", "", ""),
        ("PYTHONHOME=/x pybabel compile -d po", "PYTHONHOME", "", ""),
    ];

    #[test]
    fn environments_have_their_footprints() {
        check(LINES);
    }
}
