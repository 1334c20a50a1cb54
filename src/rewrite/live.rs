//! Files of the context that a build opens only where something names them.
//!
//! Goes in: the files of a context, and the texts that are open anyway. Comes out: which of those files are named, so
//! that what they say counts. Two kinds are asked about: scripts of a shell, which somebody has to start, and what lies
//! among the tests of a package whose tool neither compiles nor reads them unless tests are built. Costs one more
//! search over every text. Invariants: a name made of variables, a wildcard, or a folder that is walked counts for every
//! file it may stand for; what tools start by convention is never asked about.

use super::ContextFiles;
use super::mention::{is_comment, is_script};
use aho_corasick::AhoCorasick;
use std::collections::{BTreeMap, BTreeSet};

/// Why a file may not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Idle {
    /// A script, which nothing starts.
    Script,
    /// Part of a package's tests.
    Test,
}

impl Idle {
    /// What is taken for granted where such a file does not count.
    #[must_use]
    pub fn assumption(self) -> &'static str {
        match self {
            Self::Script => "no step runs a script that nothing but documents names",
            Self::Test => {
                "cargo, go and mix open no file of the tests of a package as long as no tests are built"
            }
        }
    }
}

/// Endings of scripts that a shell has to be given.
const SCRIPTS: &[&str] = &[".sh", ".bash", ".zsh", ".fish", ".ps1", ".bat", ".cmd"];

/// Beginnings of names that tools, or people who write "run the installer", know without a path.
#[rustfmt::skip]
const BY_CONVENTION: &[&str] = &[
    "autogen", "bootstrap", "buildconf", "configure", "install", "uninstall", "pre", "post", "cleanup",
];

/// Folders whose files are run because they lie there.
const RUN_FOLDERS: &[&str] = &["hooks", ".husky", "debian", "rpm", "recipe", "recipes"];

/// Tests that a tool leaves alone while it builds.
struct Tests {
    /// What makes a folder a package.
    manifest: &'static str,
    /// The folder of its tests; empty where they lie among the sources.
    folder: &'static str,
    /// Endings of what is known to be read by nobody else.
    endings: &'static [&'static str],
    /// What builds or runs them.
    commands: &'static [&'static str],
}

/// The Cargo Book, "Cargo Targets": tests are built for `cargo test` and where all targets are asked for. `mix help compile.elixir`:
/// sources are `elixirc_paths`, and of those the files that end in `.ex`. `go help packages`: files that end in `_test.go` are for `go test`.
#[rustfmt::skip]
const TESTS: &[Tests] = &[
    Tests {
        manifest: "Cargo.toml", folder: "tests/", endings: &[".rs", ".toml", ".json", ".yaml", ".yml"],
        commands: &["cargo test", "cargo bench", "cargo clippy", "cargo fmt", "nextest", "--all-targets", "--tests"],
    },
    Tests { manifest: "mix.exs", folder: "test/", endings: &[".exs"], commands: &["mix test", "mix format", "mix credo"] },
    Tests {
        manifest: "go.mod", folder: "", endings: &["_test.go"],
        commands: &["go test", "go vet", "golangci-lint", "go generate", "staticcheck"],
    },
];

/// Manifests of tools that may look into a folder of tests that is another's.
#[rustfmt::skip]
const OTHER_TOOLS: &[&str] = &[
    "package.json", "setup.py", "pom.xml", "build.gradle", "build.gradle.kts", "CMakeLists.txt", "meson.build", "Gemfile",
    "composer.json", "build.rs",
];

/// Languages whose programs a build makes and does not start: a wildcard in them is for the one who uses the program.
#[rustfmt::skip]
const COMPILED: &[&str] = &[
    ".rs", ".go", ".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".java", ".kt", ".cs", ".fs", ".swift",
];

/// The ending of a script.
fn ending(path: &str) -> Option<&'static str> {
    let name = name_of(path).to_ascii_lowercase();
    let found = SCRIPTS.iter().find(|e| name.ends_with(**e))?;
    (name.len() > found.len()).then_some(*found)
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether something starts a script that nobody names.
fn runs_by_convention(path: &str) -> bool {
    let name = name_of(path).to_ascii_lowercase();
    let folder = |f: &str| RUN_FOLDERS.contains(&f) || f.ends_with(".d");
    BY_CONVENTION.iter().any(|b| name.starts_with(b))
        || name.contains("entrypoint")
        || path.split('/').rev().skip(1).any(folder)
}

/// The tests that a file belongs to, and their folder with the package's.
fn tests_of(path: &str, files: &dyn ContextFiles) -> Option<(&'static Tests, String)> {
    let of = |t: &&Tests| t.endings.iter().any(|e| path.ends_with(e)) && path.contains(t.folder);
    let tests = TESTS.iter().find(of)?;
    // The nearest package is the one that has the folder.
    let mut folder = path;
    loop {
        folder = folder.rsplit_once('/').map_or("", |(f, _)| f);
        let inside = |name: &str| match folder {
            "" => name.to_owned(),
            f => format!("{f}/{name}"),
        };
        let others = || OTHER_TOOLS.iter().any(|m| files.is_file(&inside(m)));
        let own = inside(tests.folder);
        if files.is_file(&inside(tests.manifest)) {
            // A tool that takes tests from among its sources is not in anybody's way.
            let alone = tests.folder.is_empty() || !others();
            return (alone && path.starts_with(&own)).then_some((tests, own));
        }
        if folder.is_empty() || !tests.folder.is_empty() && others() {
            return None;
        }
    }
}

/// How a file is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    /// Its own name; the ending may be left away where a command processor adds it.
    Name,
    /// Its ending, behind something that is not known.
    Ending,
    /// The folder it lies in.
    Folder,
    /// A folder further up.
    Above,
    /// A command that builds all tests.
    Command,
}

struct File {
    path: String,
    why: Idle,
    /// The tests it belongs to.
    tests: Option<(&'static Tests, String)>,
}

impl File {
    /// Whether another file belongs to the same tests.
    fn is_beside(&self, other: &Self) -> bool {
        let place = |f: &Self| f.tests.as_ref().map(|(_, folder)| folder.clone());
        self.tests.is_some() && place(self) == place(other)
    }
}

/// The files that are asked about.
pub struct Sleepers {
    files: Vec<File>,
    index: BTreeMap<String, usize>,
    search: Option<AhoCorasick>,
    /// For every text that is searched for, what it names.
    meaning: Vec<Vec<(By, usize)>>,
}

impl Sleepers {
    /// Those among the paths of a context.
    #[must_use]
    pub fn new(paths: &[String], files: &dyn ContextFiles) -> Self {
        let one = |path: &String| {
            let script = ending(path).is_some() && !runs_by_convention(path);
            let tests = tests_of(path, files);
            let why = match (script, &tests) {
                (true, _) => Idle::Script,
                (false, Some(_)) => Idle::Test,
                (false, None) => return None,
            };
            let path = path.clone();
            Some(File { path, why, tests })
        };
        let files: Vec<File> = paths.iter().filter_map(one).collect();
        let mut names: BTreeMap<String, BTreeSet<(By, usize)>> = BTreeMap::new();
        for (n, file) in files.iter().enumerate() {
            let mut add = |text: &str, by| {
                names.entry(text.to_owned()).or_default().insert((by, n));
            };
            let name = name_of(&file.path);
            let ending = ending(&file.path);
            // A command processor finds `build.cmd` by `build`.
            let short = ending.filter(|e| matches!(*e, ".bat" | ".cmd"));
            add(&name[..name.len() - short.map_or(0, str::len)], By::Name);
            if let Some(ending) = ending {
                add(ending, By::Ending);
            }
            let mut folders = file.path.split('/').rev().skip(1);
            if let Some(own) = folders.next() {
                add(own, By::Folder);
            }
            folders.for_each(|f| add(f, By::Above));
            if let Some((tests, _)) = &file.tests {
                tests.commands.iter().for_each(|c| add(c, By::Command));
            }
        }
        let search = match names.is_empty() {
            true => None,
            false => AhoCorasick::new(names.keys()).ok(),
        };
        Self {
            index: files
                .iter()
                .enumerate()
                .map(|(n, f)| (f.path.clone(), n))
                .collect(),
            files,
            search,
            meaning: names
                .into_values()
                .map(|m| m.into_iter().collect())
                .collect(),
        }
    }

    /// Why a file is asked about; `None` for one that counts whatever names it.
    #[must_use]
    pub fn of(&self, path: &str) -> Option<Idle> {
        Some(self.files[*self.index.get(path)?].why)
    }

    /// The files that a text names, by their places in the list.
    #[must_use]
    pub fn named_in(&self, path: &str, text: &[u8]) -> BTreeSet<usize> {
        let mut out = BTreeSet::new();
        let lower = name_of(path).to_ascii_lowercase();
        // They say what is done with scripts in an editor or in git.
        if matches!(lower.as_str(), ".editorconfig" | ".gitattributes") {
            return out;
        }
        let Some(search) = &self.search else {
            return out;
        };
        let words = is_script(path)
            && ![".json", ".yml", ".yaml", ".xml"]
                .iter()
                .any(|e| lower.ends_with(e));
        let own = self.index.get(path).map(|n| &self.files[*n]);
        let compiled = COMPILED.iter().any(|e| lower.ends_with(e)) && lower != "build.rs";
        for hit in search.find_overlapping_iter(text) {
            let around = Around {
                text,
                start: hit.start(),
                end: hit.end(),
                words,
            };
            for (by, n) in &self.meaning[hit.pattern().as_usize()] {
                let file = &self.files[*n];
                // Tests are no build of what they test, and nobody starts itself.
                let beside = file.why == Idle::Test && own.is_some_and(|o| o.is_beside(file));
                let vague = matches!(by, By::Ending | By::Above) && compiled;
                if !out.contains(n) && !beside && !vague && around.names(*by) {
                    out.insert(*n);
                }
            }
        }
        let itself = self.index.get(path);
        out.retain(|n| Some(n) != itself);
        out
    }

    /// The files that are opened: named by one that is open anyway, or by another of them. `named` has what each of them
    /// names.
    #[must_use]
    pub fn opened(
        &self,
        mut open: BTreeSet<usize>,
        named: &BTreeMap<String, BTreeSet<usize>>,
    ) -> BTreeSet<String> {
        let mut left: Vec<usize> = open.iter().copied().collect();
        while let Some(n) = left.pop() {
            let more = named.get(&self.files[n].path).into_iter().flatten();
            for m in more {
                if open.insert(*m) {
                    left.push(*m);
                }
            }
        }
        open.into_iter()
            .map(|n| self.files[n].path.clone())
            .collect()
    }
}

/// A hit in a text.
struct Around<'a> {
    text: &'a [u8],
    start: usize,
    end: usize,
    /// The text is one whose words are commands.
    words: bool,
}

fn of_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"_-.".contains(&b)
}

/// The end of something that is not known before it runs.
fn unknown_part(b: Option<&u8>) -> bool {
    b.is_some_and(|b| b"$}*?)]%>\\".contains(b))
}

impl Around<'_> {
    /// What stands before the run of name characters in front of a place, and how long that is.
    fn left_of(&self, at: usize) -> (Option<&u8>, usize) {
        let run = self.text[..at].iter().rev().take_while(|b| of_name(**b));
        let run = run.count();
        let before = (at - run).checked_sub(1).map(|i| &self.text[i]);
        (before, run)
    }

    fn names(&self, by: By) -> bool {
        if is_comment(self.text, self.start) {
            return false;
        }
        let next = self.text.get(self.end);
        let (before, run) = self.left_of(self.start);
        let ends = next.is_none_or(|b| !b.is_ascii_alphanumeric() && !b"_-".contains(b));
        let begins = run == 0 || unknown_part(before);
        match by {
            By::Name => ends && begins,
            By::Ending => {
                let quoted = before.is_some_and(|b| b"\"'`".contains(b));
                ends && (unknown_part(before) || run == 0 && quoted)
            }
            By::Folder => ends && begins && self.is_folder(before, next),
            By::Above => ends && begins && self.is_folder(before, next) && self.is_walked(),
            By::Command => self.words && ends,
        }
    }

    /// Whether a folder's name stands for what is in it: as a path that does not go on to something else.
    fn is_folder(&self, before: Option<&u8>, next: Option<&u8>) -> bool {
        let slash = |b: Option<&u8>| b.is_some_and(|b| b"/\\".contains(b));
        let quote = |b: Option<&u8>| b.is_some_and(|b| b"\"'`".contains(b));
        if slash(next) {
            let rest = &self.text[self.end + 1..];
            let run = rest.iter().take_while(|b| of_name(**b)).count();
            let after = rest.get(run);
            // `folder/name` is that file, and no other.
            return run == 0 || after.is_some_and(|b| b"$*?{[%".contains(b));
        }
        let key = self.text[self.end..].get(1).is_some_and(|b| *b == b':');
        slash(before) || quote(before) && quote(next) && !key || self.words
    }

    /// Whether the line does something with all that lies below.
    fn is_walked(&self) -> bool {
        let from = self.text[..self.start]
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |i| i + 1);
        let to = self.text[self.end..]
            .iter()
            .position(|b| *b == b'\n')
            .map_or(self.text.len(), |i| self.end + i);
        let line = String::from_utf8_lossy(&self.text[from..to]);
        ["find ", "**", "walk", "glob", " -r", " -R", "xargs"]
            .iter()
            .any(|w| line.contains(w))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Files(Vec<String>);

    impl ContextFiles for Files {
        fn is_file(&self, path: &str) -> bool {
            self.0.iter().any(|p| p == path)
        }
        fn is_link(&self, _: &str) -> bool {
            false
        }
        fn links_in(&self, _: &str) -> Option<Vec<String>> {
            Some(Vec::new())
        }
        fn has_below(&self, _: &str) -> bool {
            true
        }
        fn below(&self, _: &str) -> Vec<String> {
            self.0.clone()
        }
        fn read(&self, _: &str) -> Option<Vec<u8>> {
            None
        }
    }

    fn sleepers(paths: &[&str]) -> Sleepers {
        let paths: Vec<String> = paths.iter().map(|p| (*p).to_owned()).collect();
        Sleepers::new(&paths, &Files(paths.clone()))
    }

    #[test]
    fn scripts_are_named_by_name_wildcard_and_folder() {
        let all = sleepers(&["ci/lint/check.sh", "other.bash"]);
        for (file, text, named) in [
            ("Makefile", "all:\n\tsh ci/lint/check.sh\n", true),
            ("a.js", "run('check.sh')", true),
            ("a.js", "run('recheck.sh')", false),
            ("a.js", "// run check.sh\n", false),
            ("a.js", "run(`${dir}/${what}.sh`)", true),
            ("x.mk", "sh \"$1.sh\"", true),
            ("a.py", "if name.endswith('.sh'):", true),
            ("a.js", "run('ci/lint/' + name)", true),
            ("Makefile", "for f in ci/lint/*; do $$f; done", true),
            ("Makefile", "cd ci/lint && ./$(X)", true),
            ("a.js", "run('ci/lint/other.txt')", false),
            ("a.js", "path.join('ci', \"lint\")", true),
            ("package.json", "{\"lint\": \"eslint\"}", false),
            ("a.js", "the lint of it", false),
            ("Makefile", "find ci -type f | xargs sh", true),
            ("Makefile", "ls ci", false),
            ("src/types.rs", "\"*.sh\"", false),
            ("build.rs", "glob(\"*.sh\")", true),
            (".editorconfig", "[*.sh]\n", false),
            (".gitattributes", "*.sh text eol=lf\n", false),
        ] {
            let found = all.named_in(file, text.as_bytes());
            assert_eq!(found.contains(&0), named, "{file}: {text}");
        }
        // Nobody starts itself.
        assert!(
            all.named_in("ci/lint/check.sh", b"echo usage: check.sh x")
                .is_empty()
        );
    }

    #[test]
    fn what_tools_start_by_themselves_is_not_asked_about() {
        let all = sleepers(&[
            "bootstrap.sh",
            "scripts/postinstall.sh",
            ".husky/x.sh",
            "etc/init.d/a.sh",
            "docker-entrypoint.sh",
            "configure",
            "run.py",
            ".sh",
            "sign.sh",
        ]);
        let asked: Vec<&str> = all.files.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(asked, ["sign.sh"]);
    }

    #[test]
    fn who_is_named_by_one_that_is_opened_is_opened_too() {
        let all = sleepers(&["a.sh", "b.sh", "c.sh", "d.sh"]);
        let named = [("a.sh", "./b.sh"), ("c.sh", "./d.sh"), ("d.sh", "./c.sh")]
            .map(|(f, t)| (f.to_owned(), all.named_in(f, t.as_bytes())));
        let open = all.named_in("Dockerfile", b"RUN ./a.sh");
        let opened = all.opened(open, &named.into());
        assert_eq!(opened, ["a.sh", "b.sh"].map(str::to_owned).into());
    }

    #[test]
    fn tests_count_once_they_are_built() {
        let paths = [
            "x/Cargo.toml",
            "x/src/lib.rs",
            "x/tests/cmd/a.toml",
            "x/tests/it.rs",
        ];
        let all = sleepers(&paths);
        let asked: Vec<&str> = all.files.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(asked, ["x/tests/cmd/a.toml", "x/tests/it.rs"]);
        let named = |file, text: &str| all.named_in(file, text.as_bytes()).len();
        assert_eq!(named("x/tests/it.rs", "glob(\"tests/cmd/*.toml\")"), 0);
        assert_eq!(
            named("x/src/lib.rs", "include_str!(\"../tests/cmd/a.toml\")"),
            1
        );
        assert_eq!(named("Dockerfile", "RUN cargo test"), 2);
        assert_eq!(named("x/src/lib.rs", "cargo test"), 0);
        // Somebody else may look there, and a package below is one of its own.
        assert!(
            sleepers(&["Cargo.toml", "package.json", "tests/a.json"])
                .files
                .is_empty()
        );
        assert!(
            sleepers(&["Cargo.toml", "tests/x/Cargo.toml", "tests/x/src/a.rs"])
                .files
                .is_empty()
        );
        assert!(sleepers(&["tests/a.json"]).files.is_empty());
        let all = sleepers(&[
            "go.mod",
            "a.go",
            "x/a_test.go",
            "m/mix.exs",
            "m/test/y/a.exs",
            "m/test/b.ex",
        ]);
        let asked: Vec<&str> = all.files.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(asked, ["x/a_test.go", "m/test/y/a.exs"]);
        for (text, what) in [
            ("go test ./...", "x/a_test.go"),
            ("mix test", "m/test/y/a.exs"),
        ] {
            let found = all.named_in("Makefile", text.as_bytes());
            let names: Vec<&str> = found.iter().map(|n| all.files[*n].path.as_str()).collect();
            assert_eq!(names, [what]);
        }
    }
}
