//! pip: the requirement and constraint files that are named, those they include, and archives that they name.
//!
//! Goes in: a command line. Comes out: the files it reads. Invariant: a folder of the project is never
//! installed, save as a link ([`super::editable`]).

use super::words::{Options, Words};
use super::{Command, Found, Needs, Project, editable, join, text};
use crate::footprint::PathClaim;

/// Most files that include each other.
const MOST: usize = 32;

#[rustfmt::skip]
const OPTIONS: Options = Options {
    flags: &[
        "-U", "-q", "-v", "-I", "--no-cache-dir", "--upgrade", "--no-deps", "--pre", "--quiet", "--user",
        "--no-input", "--no-index", "--disable-pip-version-check", "--require-hashes", "--break-system-packages",
        "--no-build-isolation", "--force-reinstall", "--prefer-binary", "--no-compile", "--compile",
        "--ignore-installed", "--no-warn-script-location", "--isolated", "--verbose", "--no-dependencies", "--yes",
        "-y", "--use-pep517", "--no-color", "--no-python-version-warning", "--no-warn-conflicts",
        "--ignore-requires-python",
    ],
    valued: &[
        "-r", "--requirement", "-c", "--constraint", "-i", "--index-url", "--extra-index-url", "--trusted-host",
        "-t", "--target", "--prefix", "--root-user-action", "--timeout", "--default-timeout", "--retries",
        "--progress-bar", "--only-binary", "--no-binary", "--platform", "--python-version", "-f", "--find-links",
        "--upgrade-strategy", "--proxy", "--cache-dir", "-e", "--editable", "--use-feature", "--use-deprecated",
        "--implementation", "--abi", "--root", "--config-settings", "-C", "--exists-action", "-w", "--wheel-dir",
        "-d", "--dest", "--global-option",
    ],
};

/// Variables that move nothing.
#[rustfmt::skip]
const VARIABLES: &[&str] = &[
    "PIP_NO_CACHE_DIR", "PIP_DISABLE_PIP_VERSION_CHECK", "PIP_DEFAULT_TIMEOUT", "PIP_TIMEOUT",
    "PIP_ROOT_USER_ACTION", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_BREAK_SYSTEM_PACKAGES",
    "PIP_PROGRESS_BAR", "PIP_TRUSTED_HOST", "PIP_NO_INPUT", "PIP_PREFER_BINARY", "PIP_RETRIES",
    "PIP_NO_COMPILE", "PIP_NO_COLOR", "PIP_VERSION", "PIP_ONLY_BINARY", "PIP_NO_BINARY",
];

/// What pip needs.
pub(super) fn needs(command: &Command<'_>, project: &dyn Project) -> Found {
    let words = Words::parse(command.arguments, &OPTIONS)?;
    let odd = |n: &&String| n.starts_with("PIP_") && !VARIABLES.contains(&n.as_str());
    if let Some(name) = command.variables.keys().find(odd) {
        return Err(format!("{name} is set"));
    }
    match words.operands.as_slice() {
        ["install", packages @ ..] => install(command.dir, &words, packages, project),
        ["wheel" | "download", packages @ ..]
            if !words
                .values(&["-w", "--wheel-dir", "-d", "--dest"])
                .is_empty() =>
        {
            match words.values(&["-e", "--editable"]).is_empty() {
                true => install(command.dir, &words, packages, project),
                false => Err("it may build a package of the project".to_owned()),
            }
        }
        [
            "uninstall" | "list" | "show" | "freeze" | "check" | "cache",
            ..,
        ] => match words.values(&["-r", "--requirement"]).is_empty() {
            true => Ok(Needs::default()),
            false => Err("only an install is known".to_owned()),
        },
        _ => Err("only an install is known".to_owned()),
    }
}

/// What an install of packages and of files of requirements needs.
///
/// # Errors
/// It may build a package of the project.
pub(super) fn install(
    dir: &str,
    words: &Words<'_>,
    packages: &[&str],
    project: &dyn Project,
) -> Found {
    let mut scene = Scene {
        dir,
        project,
        needs: Needs::default(),
        files: 0,
    };
    for package in packages {
        scene.package(package)?;
    }
    for link in words.values(&["-e", "--editable"]) {
        let folder = link.split('[').next().unwrap_or(link);
        if folder.contains([':', '~']) {
            return Err(format!("{folder} is no folder of the project"));
        }
        let isolated = !words.has(&["--no-build-isolation"]);
        editable::by_pip(&join(dir, folder), isolated, project, &mut scene.needs)?;
    }
    for place in words.values(&["-f", "--find-links"]) {
        if !place.contains("://") {
            let place = join(dir, place);
            match project.is_file(&place) {
                true => return Err(format!("{place} may name other files")),
                false => scene.needs.read_tree(place),
            }
        }
    }
    for place in words.values(&[
        "-t",
        "--target",
        "--prefix",
        "--root",
        "-w",
        "--wheel-dir",
        "-d",
        "--dest",
    ]) {
        let place = join(dir, place);
        if project.has_below(&place) {
            return Err(format!("{place} is in the build context"));
        }
        scene.needs.write_tree(place);
    }
    let options = [
        "-r",
        "--requirement",
        "--requirements",
        "-c",
        "--constraint",
        "--constraints",
    ];
    for name in words.values(&options) {
        scene.named(name)?;
    }
    let settings = join(dir, "setup.cfg");
    if project.is_file(&settings) && text(project, &settings)?.contains("[install") {
        // Old versions of pip look there for where to install.
        return Err(format!("{settings} has settings of installs"));
    }
    if scene.files > 0 {
        scene.needs.assume(
            "pip reads only the requirement files named: none of them names a path of the project",
        );
    }
    Ok(scene.needs)
}

struct Scene<'a> {
    dir: &'a str,
    project: &'a dyn Project,
    needs: Needs,
    files: usize,
}

impl Scene<'_> {
    /// A file of requirements or constraints, and those it includes.
    fn named(&mut self, name: &str) -> Result<(), String> {
        if name.contains("://") {
            return Ok(());
        }
        let mut queue = match name.find(['*', '?', '[']) {
            Some(at) => self.matching(name, at)?,
            None => vec![join(self.dir, name)],
        };
        while let Some(path) = queue.pop() {
            if !self.needs.reads.insert(PathClaim::exact(&*path)) {
                continue;
            }
            self.files += 1;
            if self.files > MOST {
                return Err("its requirement files include too many others".to_owned());
            }
            if path.ends_with(".toml") || path.ends_with(".py") || path.ends_with(".cfg") {
                return Err(format!("{path} is no plain list of requirements"));
            }
            let folder = path.rsplit_once('/').map_or("", |(d, _)| d);
            let folder = if folder.is_empty() { "/" } else { folder };
            let text = text(self.project, &path)?
                .replace("\\\r\n", " ")
                .replace("\\\n", " ");
            for line in text.trim_start_matches('\u{feff}').lines() {
                if let Some(included) = self.line(line, &path)? {
                    queue.push(join(folder, included));
                }
            }
        }
        Ok(())
    }

    /// The files of a loop over a pattern, and the folder in which a later commit may have more.
    fn matching(&mut self, pattern: &str, at: usize) -> Result<Vec<String>, String> {
        let name = pattern.rsplit('/').next().unwrap_or_default();
        if name.contains(['*', '?', '[']) {
            return Err(format!("which files {pattern} names is not known"));
        }
        let folder = pattern[..at].rsplit_once('/').map_or("", |(d, _)| d);
        let folder = match folder {
            "" if pattern.starts_with('/') => "/".to_owned(),
            _ => join(self.dir, folder),
        };
        let called = |path: &String| path.rsplit('/').next() == Some(name);
        let files = self.project.below(&folder).into_iter().filter(called);
        let files = files.collect();
        self.needs.read_tree(folder);
        Ok(files)
    }

    /// One line; the file that it includes.
    fn line<'l>(&mut self, line: &'l str, path: &str) -> Result<Option<&'l str>, String> {
        let odd = || format!("{path} names a path of the project");
        let line = line.split(" #").next().unwrap_or(line).trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        if let Some(name) = included(line) {
            return match name {
                name if name.contains("://") => Ok(None),
                name if name.contains(['$', ' ', '"', '\'']) => Err(odd()),
                name => Ok(Some(name)),
            };
        }
        if line.starts_with('-') {
            let plain = FLAGS.iter().any(|f| {
                let rest = line.strip_prefix(f);
                rest.is_some_and(|r| r.is_empty() || r.starts_with(['=', ' ', '\t']))
            });
            let remote = !line.starts_with("-f") && !line.starts_with("--find-links");
            return match plain && (remote || line.contains("://")) && !line.contains("file:") {
                true => Ok(None),
                false => Err(odd()),
            };
        }
        let address = line.find("://").unwrap_or(line.len());
        if line.find("${").is_some_and(|at| at < address) {
            return Err(odd());
        }
        let first = line.split([' ', '\t', ';']).next().unwrap_or(line);
        self.package(first).map_err(|_| odd())?;
        match line.contains("file:") {
            true => Err(odd()),
            false => Ok(None),
        }
    }

    /// One requirement.
    fn package(&mut self, package: &str) -> Result<(), String> {
        let bare = package.split('[').next().unwrap_or(package);
        let archive = [
            ".whl", ".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz", ".tar",
        ];
        let is_archive = archive.iter().any(|e| package.ends_with(e));
        let address = bare.contains("://") && !bare.contains("file:");
        if address {
            return Ok(());
        }
        let place = join(self.dir, package);
        if is_archive
            && !package.contains(['*', '?', ':', '@', '~'])
            && self.project.is_file(&place)
        {
            self.needs.read(place);
            return Ok(());
        }
        let local = bare.starts_with(['.', '~'])
            || bare.contains('/')
            || bare.contains("file:")
            || is_archive;
        match local {
            true => Err(format!("{package} may be a package of the project")),
            false => Ok(()),
        }
    }
}

/// Options that a file of requirements may have.
const FLAGS: [&str; 14] = [
    "-i",
    "--index-url",
    "--extra-index-url",
    "--trusted-host",
    "--no-index",
    "--pre",
    "--prefer-binary",
    "--only-binary",
    "--no-binary",
    "--require-hashes",
    "--use-feature",
    "-f",
    "--find-links",
    "--no-build-isolation",
];

/// The file that `-r` or `-c` names.
fn included(line: &str) -> Option<&str> {
    for flag in ["-r", "--requirement", "-c", "--constraint"] {
        if let Some(rest) = line.strip_prefix(flag) {
            let long = flag.starts_with("--");
            let name = rest.strip_prefix('=').unwrap_or(rest);
            if !long || rest.starts_with(['=', ' ', '\t']) {
                return Some(name.trim()).filter(|n| !n.is_empty());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::{shown, shown_with};

    #[test]
    fn pip_follows_included_files() {
        let files = [
            (
                "/app/requirements.txt",
                "-r base.txt\nflask==3 \\\n  --hash=sha256:x\n-i https://e.org\n",
            ),
            (
                "/app/base.txt",
                "# x\nrequests>=2 # -e .\nx @ git+https://${TOKEN}@e.org/x\n--pre\n",
            ),
            ("/app/app.py", ""),
        ];
        let both = "/app/base.txt /app/requirements.txt | ";
        for line in [
            "pip install -r requirements.txt",
            "pip install --no-cache-dir --requirement=requirements.txt",
            "pip3 install -i https://e.org/simple -rrequirements.txt gunicorn[gevent]",
        ] {
            assert_eq!(shown(line, "/app", &files), both, "{line}");
        }
        let wheels = shown("pip wheel -w /w -r requirements.txt", "/app", &files);
        assert_eq!(wheels, format!("{both}/w/**"));
        assert_eq!(
            shown("pip install -U pip setuptools", "/app", &files),
            " | "
        );
        assert_eq!(
            shown("pip install -t lib x", "/app", &files),
            " | /app/lib/**"
        );
        assert_eq!(shown("pip cache purge", "/app", &files), " | ");
    }

    #[test]
    fn a_loop_over_folders_reads_their_lists_and_looks_at_all_of_them() {
        let files = [
            ("/app/plugins/a/requirements.txt", "-r more.txt\n"),
            ("/app/plugins/a/more.txt", "x\n"),
            ("/app/plugins/b/b.py", ""),
            ("/app/plugins/c/deep/requirements.txt", "y\n"),
        ];
        let line = "pip install -r plugins/*/requirements.txt";
        assert_eq!(shown(line, "/app", &files), "/app/plugins/** | ");
        assert_eq!(shown(line, "/app", &[]), "/app/plugins/** | ");
        let named = shown("pip install -r plugins/*", "/app", &files);
        assert!(named.starts_with('('), "{named}");
        let own = [("/app/plugins/a/requirements.txt", "-e .\n")];
        assert!(shown(line, "/app", &own).starts_with('('));
        let out = [("/app/plugins/a/requirements.txt", "-r ../../base.txt\n")];
        assert!(shown(line, "/app", &out).starts_with('('));
    }

    #[test]
    fn archives_of_the_project_are_read() {
        let files = [("/app/w/x.whl", ""), ("/app/r/r.txt", "./w/x.whl\n")];
        assert_eq!(
            shown("pip install w/x.whl", "/app", &files),
            "/app/w/x.whl | "
        );
        assert_eq!(
            shown("pip install -r r/r.txt", "/app", &files),
            "/app/r/r.txt /app/w/x.whl | "
        );
        let found = shown("pip install --no-index --find-links=w x", "/app", &files);
        assert_eq!(found, "/app/w/** | ");
    }

    #[test]
    fn local_paths_are_left_alone() {
        for text in [
            "-e .\n",
            "-e git+https://e.org/x#egg=x\n",
            "./libs/x\n",
            "x @ file:///x\n",
            "-r missing.txt\n",
            "libs/x\n",
            "-f wheels\n",
            "${X}\n",
            "--frob\n",
            "./gone.whl\n",
        ] {
            let files = [("/app/requirements.txt", text)];
            let found = shown("pip install -r requirements.txt", "/app", &files);
            assert!(found.starts_with('('), "{text}");
        }
        for line in [
            "pip install .",
            "pip install -e .[dev]",
            "pip install ./x.whl",
            "pip install --frob x",
            "pip install -r pyproject.toml",
            "pip config set x y",
        ] {
            let files = [("/app/pyproject.toml", "")];
            assert!(shown(line, "/app", &files).starts_with('('), "{line}");
        }
        let settings = [("/app/setup.cfg", "[install]\nprefix=/x\n")];
        assert!(shown("pip install x", "/app", &settings).starts_with('('));
        assert!(
            shown_with("pip install x", "/app", &[], &[("PIP_CONSTRAINT", "c")]).starts_with('(')
        );
    }
}
