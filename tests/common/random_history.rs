//! Random small histories with a Dockerfile, as text of the `history` format.
//!
//! In: a seed. Out: 3-8 commits whose builds use no network and never fail by what a RUN does (only by what replay can
//! foresee: a missing source, a broken instruction). Invariant: destinations and RUN texts carry a number of their own,
//! so two steps are equal only where a whole prefix of a stage is repeated on purpose.

use super::history::{self, Kind, Tree};
use super::random_dockerfile::Stage;
use cacheplan::pattern::{IgnoreRules, SourcePattern};
use cacheplan::source::SourceFile;
use std::cell::RefCell;
use std::fmt::Write as _;

const FOLDERS: [&str; 6] = ["", "src/", "src/lib/", "conf/", "docs/", "data/deep/"];
const NAMES: [&str; 8] = [
    "a.txt", "b.txt", "c.md", "keep.md", "main.c", "x.json", "run.sh", "z.txt",
];
/// Lines that leave most of the context alone, and those that take whole folders away.
const MILD: [&str; 12] = [
    "*.md",
    "**/*.md",
    "!**/keep.md",
    "Dockerfile",
    ".dockerignore",
    "?.txt",
    "# a comment",
    "src/*.c",
    "**/z.txt",
    "**/c.md",
    "docs/*.md",
    "tmp/",
];
const STRONG: [&str; 12] = [
    "docs",
    "docs/",
    "/conf",
    "src/lib",
    "src/**",
    "!src/a.txt",
    "**/lib",
    "data/*",
    "!data/deep",
    "[a-c]*",
    "**/x.json",
    "*\n!src\n!conf/**",
];

/// splitmix64: small, and the same everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).expect("below n")
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

/// The state of one generation.
pub struct Generator {
    pub random: Random,
    pub seed: u64,
    pub counter: usize,
    pub text: String,
    pub file: String,
    pub stages: Vec<Stage>,
    /// The argument `V` differs in every build.
    pub volatile: bool,
    /// There are RUNs, and owners by name, which only running something can tell about.
    pub runs: bool,
    /// Every build has the last commit's Dockerfile.
    pub frozen: bool,
    /// The image that stages start from.
    pub base: &'static str,
    /// The files that a text came to, and those of them that are sent: both are asked for more often than they change.
    seen: RefCell<(String, Tree, Files)>,
}

type Files = Vec<(String, Kind)>;

/// The history of a seed.
pub fn generate(seed: u64) -> String {
    generate_with(seed, true)
}

/// The same kind of history with or without what only running a step can tell.
pub fn generate_with(seed: u64, runs: bool) -> String {
    let mut g = Generator {
        random: Random::new(seed),
        seed,
        counter: 0,
        text: format!("# seed {seed}\n"),
        file: "Dockerfile".to_string(),
        stages: Vec::new(),
        volatile: false,
        frozen: false,
        runs,
        base: "busybase",
        seen: RefCell::default(),
    };
    g.header();
    g.first_commit();
    for n in 0..3 + g.random.below(4) {
        let _ = writeln!(g.text, "commit change {}", n + 2);
        for _ in 0..1 + g.random.below(2) {
            let before = g.text.len();
            g.change(n + 2);
            if g.lacks_a_source() && !g.random.one_in(4) {
                g.text.truncate(before);
                let files = g.files();
                let path = files
                    .first()
                    .map_or("src/a.txt".to_owned(), |_| g.random.pick(&files).0.clone());
                g.write_file(&path);
            }
        }
    }
    own_names(&g.text, seed)
}

/// The text with the seed in every destination. What a refused build left behind is cached for as long as the daemon
/// runs, whatever is pruned, so two histories must not have a step in common.
fn own_names(text: &str, seed: u64) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['/', ' ']) {
        let (front, tail) = rest.split_at(at + 1);
        out += front;
        rest = tail;
        let digits = tail.bytes().skip(1).take_while(u8::is_ascii_digit).count();
        let ends = |b: &u8| matches!(b, b'/' | b' ' | b'\n' | b',');
        if tail.starts_with(['b', 'd', 'f', 'h', 'u'])
            && digits > 0
            && tail.as_bytes().get(digits + 1).is_none_or(ends)
        {
            out += &format!("{}x{seed}", &tail[..=digits]);
            rest = &tail[digits + 1..];
        }
    }
    out += rest;
    for (old, new) in [
        ("WORKDIR /w", "/w"),
        ("WORKDIR /v", "/v"),
        ("WORKDIR w", "w"),
    ] {
        out = out.replace(old, &format!("WORKDIR {new}{seed}"));
    }
    out.replace("WORKDIR sub/x", &format!("WORKDIR sub/x{seed}"))
}

fn context_files(tree: &Tree) -> Files {
    let own = |path: &str| path.contains("ocker");
    let files = tree.iter().filter(|(path, _)| !own(path));
    files
        .map(|(path, entry)| (path.clone(), entry.kind))
        .collect()
}

/// Whether a source selects any of the files.
pub fn selects(source: &str, files: &[(String, Kind)]) -> bool {
    let Ok(pattern) = SourcePattern::new(source) else {
        return false;
    };
    files
        .iter()
        .any(|(path, _)| pattern.select(path.as_bytes()).is_some())
}

impl Generator {
    pub fn number(&mut self) -> usize {
        self.counter += 1;
        self.counter
    }

    fn tree(&self) -> Tree {
        self.look();
        self.seen.borrow().1.clone()
    }

    /// Reads the text again where it is another one.
    fn look(&self) {
        let mut seen = self.seen.borrow_mut();
        if seen.0 == self.text {
            return;
        }
        let parsed =
            history::parse(&self.text).unwrap_or_else(|error| panic!("{error}\n{}", self.text));
        let tree = parsed.commits.last().map(|commit| commit.tree.clone());
        let tree = tree.unwrap_or_default();
        let own = format!("{}.dockerignore", self.file);
        let rules = tree.get(&own).or_else(|| tree.get(".dockerignore"));
        let rules = rules.map_or_else(IgnoreRules::empty, |entry| {
            IgnoreRules::parse(&SourceFile::new(".dockerignore", entry.bytes.clone())).0
        });
        let mut sent = context_files(&tree);
        sent.retain(|(path, _)| !rules.is_ignored(path.as_bytes()));
        *seen = (self.text.clone(), tree, sent);
    }

    /// The files of the context proper.
    pub fn files(&self) -> Files {
        self.look();
        context_files(&self.seen.borrow().1)
    }

    /// Those that the ignore rules let through.
    pub fn sent(&self) -> Files {
        self.look();
        self.seen.borrow().2.clone()
    }

    /// Whether a source that the Dockerfile has now selects nothing, which mostly refuses the build. Links are not
    /// followed here.
    fn lacks_a_source(&self) -> bool {
        let tree = self.tree();
        let Some(file) = tree.get(&self.file) else {
            return false;
        };
        let text = String::from_utf8_lossy(&file.bytes).into_owned();
        let sent = self.sent();
        let of_line = |line: &str| -> Vec<String> {
            let line = line.trim_start_matches("ONBUILD ");
            let is_copy = line.starts_with("COPY ") || line.starts_with("ADD ");
            if is_copy && !line.contains("--from=") && !line.contains("<<") {
                let words: Vec<&str> = line.split(' ').skip(1).collect();
                let sources = words[..words.len().saturating_sub(1)].iter();
                return sources
                    .filter(|w| !w.starts_with("--"))
                    .map(|w| w.to_string())
                    .collect();
            }
            let mounts = line
                .split(' ')
                .filter(|w| w.starts_with("--mount=") && !w.contains("from="));
            let source = |m: &str| Some(m.split_once("source=")?.1.split(',').next()?.to_owned());
            mounts.filter_map(source).collect()
        };
        text.lines()
            .flat_map(of_line)
            .any(|source| !selects(&source, &sent))
    }

    fn header(&mut self) {
        self.frozen = self.random.one_in(3);
        let from = if self.frozen { "frozen" } else { "each" };
        let mut flags = vec![format!("--dockerfile-from {from}")];
        if self.random.one_in(8) {
            self.file = "docker/app.Dockerfile".to_string();
            flags.push("-f docker/app.Dockerfile --context .".to_string());
        }
        if self.random.one_in(3) {
            flags.push(format!("--build-arg A=given{}", self.seed));
        }
        if self.random.one_in(6) {
            flags.push("--dot-git present".to_string());
        }
        if self.random.one_in(10) {
            flags.push("--umask 002".to_string());
        }
        let stages = 1 + self.random.below(4);
        if stages > 1 && self.random.one_in(8) {
            flags.push("--target s0".to_string());
        }
        // Whatever moves without a commit: an argument, the clock, a base image, a step forced to run.
        match self.random.below(16) {
            0 | 1 => {
                self.volatile = true;
                flags.push("--volatile-arg V".to_string());
            }
            2 => flags.push("--volatile-arg SOURCE_DATE_EPOCH".to_string()),
            3 => flags.push("--build-arg SOURCE_DATE_EPOCH=1700000000".to_string()),
            4 | 5 if self.runs => {
                self.base = "basechange";
                let first = self.random.below(2);
                flags.push(format!("--base-change basechange@main~{first}"));
                if self.random.one_in(3) {
                    flags.push(format!(
                        "--base-change basechange@main~{}",
                        first + 1 + self.random.below(2)
                    ));
                }
            }
            6 | 7 if stages > 1 => {
                let stage = self.random.below(stages - 1);
                flags.push(format!("--no-cache-filter s{stage}"));
            }
            _ => {}
        }
        for flag in flags {
            let _ = writeln!(self.text, "replay {flag}");
        }
        for _ in 0..stages {
            self.stages.push(Stage {
                from: String::new(),
                instructions: Vec::new(),
                has_shell: true,
                is_root: true,
                has_dir: false,
                copied: Vec::new(),
                certain: Vec::new(),
                outputs: Vec::new(),
            });
        }
    }

    fn first_commit(&mut self) {
        self.text += "commit start\n";
        for folder in FOLDERS {
            for name in NAMES {
                // Every folder is there at first, also where ignore rules take the pages away.
                let always = matches!(
                    (folder, name),
                    ("src/", "a.txt") | ("conf/", "x.json") | (_, "main.c")
                );
                if always || self.random.one_in(4) {
                    self.write_file(&format!("{folder}{name}"));
                }
            }
        }
        for _ in 0..self.random.below(3) {
            self.write_link();
        }
        if !self.random.one_in(4) {
            self.write_ignore();
        }
        for index in 0..self.stages.len() {
            self.fill_stage(index);
        }
        self.write_dockerfile(false);
    }

    fn write_file(&mut self, path: &str) {
        let number = self.number();
        let _ = writeln!(self.text, "write {path} = {} {number:03}", self.seed);
        if path.ends_with(".sh") && self.random.one_in(2) {
            let _ = writeln!(self.text, "chmod +x {path}");
        }
    }

    fn write_link(&mut self) {
        let path = *self
            .random
            .pick(&["src/ln", "ln.txt", "conf/ln.txt", "docs/ln.md"]);
        let dangling = self.random.one_in(3);
        let up = if path.contains('/') { "../" } else { "" };
        let target = *self.random.pick(&[
            "src/a.txt",
            "src",
            "src/lib",
            "b.txt",
            if dangling { "nowhere" } else { "docs" },
            "conf/x.json",
        ]);
        let _ = writeln!(self.text, "link {path} {up}{target}");
    }

    fn write_ignore(&mut self) {
        let own = self.random.one_in(8);
        let path = if own {
            format!("{}.dockerignore", self.file)
        } else {
            ".dockerignore".to_string()
        };
        let mut lines: Vec<String> = Vec::new();
        for _ in 0..1 + self.random.below(4) {
            let list = if self.random.one_in(6) {
                &STRONG
            } else {
                &MILD
            };
            lines.push((*self.random.pick(list)).to_string());
        }
        if !self.random.one_in(3) {
            lines.push(".git".to_string());
        }
        let _ = writeln!(
            self.text,
            "write {path} <<END-OF-FILE\n{}\nEND-OF-FILE",
            lines.join("\n")
        );
    }

    /// A folder goes to another name, or a file takes the place of one.
    fn move_folder(&mut self, path: &str) {
        let Some((folder, _)) = path.rsplit_once('/') else {
            return self.write_file(path);
        };
        if self.random.one_in(4) {
            return self.write_file(folder);
        }
        let to = *self.random.pick(&["moved", "src/moved", "docs/deep"]);
        if to.starts_with(folder) || folder.starts_with(to) {
            return self.write_file(path);
        }
        let _ = writeln!(self.text, "move {folder} {to}");
    }

    fn change(&mut self, commit: usize) {
        let files = self.files();
        if files.is_empty() {
            return self.write_file("src/a.txt");
        }
        let (mut path, mut kind) = self.random.pick(&files).clone();
        let dockerfile = self.tree()[&self.file].bytes.clone();
        if String::from_utf8_lossy(&dockerfile).contains(&path) && !self.random.one_in(3) {
            // Sources named in full go away less often, or most builds would be refused.
            (path, kind) = self.random.pick(&files).clone();
        }
        match self.random.below(20) {
            0..=3 => self.write_file(&path),
            4 => {
                let _ = writeln!(self.text, "append {path} = more");
            }
            5 => {
                let path = format!("{}{}", self.random.pick(&FOLDERS), self.random.pick(&NAMES));
                self.write_file(&path);
            }
            6 => {
                let _ = writeln!(self.text, "delete {path}");
            }
            7 => {
                let name = path.rsplit('/').next().expect("one part").to_string();
                let to = if self.random.one_in(2) {
                    name
                } else {
                    (*self.random.pick(&NAMES)).to_string()
                };
                let to = format!("{}{to}", self.random.pick(&FOLDERS));
                let _ = writeln!(self.text, "move {path} {to}");
            }
            8 if kind != Kind::Link => {
                let sign = if kind == Kind::File { "+x" } else { "-x" };
                let _ = writeln!(self.text, "chmod {sign} {path}");
            }
            9 => {
                let _ = writeln!(
                    self.text,
                    "restore {path} {}",
                    1 + self.random.below(commit - 1)
                );
            }
            10 if commit > 2 => {
                let _ = writeln!(self.text, "revert {}", 2 + self.random.below(commit - 2));
            }
            11 => self.write_ignore(),
            12 => self.write_link(),
            13 => self.move_folder(&path),
            14..=19 => self.edit_dockerfile(),
            _ => {}
        }
    }
}
