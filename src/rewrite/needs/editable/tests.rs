//! Projects that are installed as links, by their manifests.

use super::super::shown;
use super::setuptools::says_plainly;

const BUILD: &str = "[build-system]\nrequires = [\"setuptools>=64\", \"wheel\"]\nbuild-backend = \"setuptools.build_meta\"\n";

fn of(manifest: &str, more: &[(&str, &str)]) -> String {
    let mut files = vec![
        ("/app/pyproject.toml", manifest),
        ("/app/LICENSE", ""),
        ("/app/README.md", ""),
        ("/app/pkg/__init__.py", "import os\n__version__ = \"1\"\n"),
        ("/app/pkg/a.py", ""),
    ];
    files.extend(more);
    shown("pip install --no-build-isolation -e .[dev]", "/app", &files)
}

#[test]
fn metadata_are_read_and_the_rest_counts_by_name() {
    let manifest = format!(
        "{BUILD}[project]\nname = \"pkg\"\nreadme = \"README.md\"\ndynamic = [\"version\"]\n[tool.setuptools.dynamic]\nversion = \
         {{attr = \"pkg.__version__\"}}\n[tool.setuptools.packages.find]\nwhere = [\".\"]\n"
    );
    let reads = "/app/LICENSE /app/LICENSES /app/MANIFEST.in /app/README.md /app/pkg/__init__.py /app/pyproject.toml \
                 /app/setup.cfg /app/setup.py | ; names /app/**";
    assert_eq!(of(&manifest, &[]), reads);
    let trivial = "#!/usr/bin/env python\nfrom setuptools import setup\n\nif __name__ == \"__main__\":\n    setup()\n";
    let lint = "[flake8]\nmax = 1\n[tool:pytest]\nx = 1\n";
    assert_eq!(
        of(
            &manifest,
            &[("/app/setup.py", trivial), ("/app/setup.cfg", lint)]
        ),
        reads
    );
    let files = [
        ("/app/pyproject.toml", manifest.as_str()),
        ("/app/pkg/__init__.py", "__version__='1' # x\n"),
    ];
    let found = shown("pip install --editable=.", "/app", &files);
    assert!(
        found.contains("| /app/pkg.egg-info/** /app/src/pkg.egg-info/**;"),
        "{found}"
    );
}

#[test]
fn what_may_run_code_is_a_reason() {
    let plain = format!("{BUILD}[project]\nname = \"pkg\"\nversion = \"1\"\n");
    assert!(of(&plain, &[]).starts_with('/'));
    for (manifest, path, text) in [
        (plain.clone(), "/app/setup.py", "import setup_it\n"),
        (
            plain.clone(),
            "/app/setup.cfg",
            "[metadata]\nversion = file: V\n",
        ),
        (
            BUILD.replace("setuptools>=64", "setuptools_scm"),
            "/app/x",
            "",
        ),
        (BUILD.replace("setuptools.build_meta", "own"), "/app/x", ""),
        (
            format!("{plain}[tool.setuptools]\nnamespace-packages = [\"x\"]\n"),
            "/app/x",
            "",
        ),
        (
            format!("{plain}[tool.setuptools.dynamic]\ndependencies = {{file = [\"r.txt\"]}}\n"),
            "/app/r.txt",
            "lib @ file:///app/lib\n",
        ),
        (
            BUILD.replace("setuptools>=64", "setuptools @ file:///app/s.whl"),
            "/app/x",
            "",
        ),
        (
            format!("{plain}[tool.setuptools]\ndata-files = {{}}\n"),
            "/app/x",
            "",
        ),
        (
            format!("{plain}[tool.setuptools.dynamic]\nversion = {{attr = \"pkg.a.v\"}}\n"),
            "/app/x",
            "",
        ),
        (
            format!("{plain}[tool.setuptools.dynamic]\nreadme = {{file = [\"../R\"]}}\n"),
            "/app/x",
            "",
        ),
        ("[project]\nname = \"pkg\"\n".to_owned(), "/app/x", ""),
    ] {
        assert!(
            of(&manifest, &[(path, text)]).starts_with('('),
            "{manifest} {path}"
        );
    }
    let hatch = plain.replace("setuptools.build_meta", "hatchling.build");
    assert!(of(&hatch, &[]).starts_with('/'));
    assert!(of(&hatch, &[("/app/hatch_build.py", "")]).starts_with('('));
    let flit = plain.replace("setuptools.build_meta", "flit_core.buildapi");
    assert!(of(&flit, &[]).starts_with('/'));
    assert!(
        of(
            &flit.replace("version = \"1\"", "dynamic = [\"version\"]"),
            &[]
        )
        .starts_with('(')
    );
    assert!(shown("pip install -e git+https://e.org/x", "/app", &[]).starts_with('('));
    let data = format!("{flit}[tool.flit.external-data]\ndirectory = \"data\"\n");
    assert!(of(&data, &[]).starts_with('('));
    let poetry = "[tool.poetry]\nname = \"pkg\"\n[build-system]\nbuild-backend = \"poetry.core.masonry.api\"\n";
    assert!(of(poetry, &[]).starts_with('/'));
    for dependency in ["path = \"libs/a\"", "url = \"file:///app/a.whl\""] {
        let local = format!("{poetry}[tool.poetry.group.x.dependencies]\na = {{{dependency}}}\n");
        assert!(of(&local, &[]).starts_with('('), "{dependency}");
    }
    let files = [
        ("/app/pyproject.toml", plain.as_str()),
        ("/app/my_pkg.egg-info/PKG-INFO", ""),
    ];
    assert!(shown("pip install -e .", "/app", &files).starts_with('('));
}

#[test]
fn a_version_is_plain_where_a_module_gives_it_a_text() {
    for (module, plain) in [
        ("__version__ = '1.2'\n", true),
        (
            "import x\n__version__ = \"1.2\"  # now\nif True:\n    __version__ = x\n",
            true,
        ),
        ("__version__ = f()\n", false),
        ("__version__: str = '1'\n", false),
        ("__version__ = f'1'\n", false),
        ("__version__ = '1' + x\n", false),
        ("__version__ += '1'\n", false),
        ("__version__ = '''1\n'''\n", false),
        ("__version__, x = '1', 2\n", false),
        (
            "\"\"\"Text\n__version__ = '1'\n\"\"\"\n__version__ = x\n",
            false,
        ),
        ("    __version__ = '1'\n", false),
        ("__version__ == '1'\n", false),
    ] {
        assert_eq!(says_plainly(module, "__version__"), plain, "{module}");
    }
}

#[test]
fn poetry_asks_whether_the_package_is_there() {
    let lock = ("/app/poetry.lock", "");
    let manifest = "[tool.poetry]\nname = \"My-pkg\"\n[build-system]\nbuild-backend = \"poetry.core.masonry.api\"\n";
    let of = |manifest: &str, more: &[(&str, &str)]| {
        let mut files = vec![("/app/pyproject.toml", manifest), lock];
        files.extend(more);
        shown("poetry install --only main", "/app", &files)
    };
    let found = of(
        manifest,
        &[("/app/my_pkg/__init__.py", ""), ("/app/my_pkg/b.py", "")],
    );
    for part in [
        "/app/my_pkg ",
        "/app/my_pkg.py ",
        "/app/my_pkg/__init__.py ",
        "| /app/.venv/**",
    ] {
        assert!(found.contains(part), "{found}");
    }
    assert!(
        !found.contains("names") && !found.contains("b.py"),
        "{found}"
    );
    assert!(of(manifest, &[]).starts_with('('));
    assert!(
        of(
            manifest,
            &[("/app/my_pkg.py", ""), ("/app/my_pkg/a.py", "")]
        )
        .starts_with('(')
    );
    let lib = manifest.replace(
        "name = \"My-pkg\"",
        "packages = [{include = \"x\", from = \"lib\"}]",
    );
    let found = of(&lib, &[("/app/lib/x/a.py", "")]);
    assert!(found.contains("/app/lib/x/a.py "), "{found}");
    for odd in [
        manifest.replace("[build", "[tool.poetry.build]\nscript = \"b.py\"\n[build"),
        lib.replace("\"x\"", "\"x*\""),
        lib.replace("\"lib\"", "\"../lib\""),
    ] {
        assert!(
            of(&odd, &[("/app/lib/x/a.py", ""), ("/app/my_pkg/a.py", "")]).starts_with('('),
            "{odd}"
        );
    }
}
