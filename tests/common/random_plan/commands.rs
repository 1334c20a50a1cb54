//! Shell commands of random plans: each is text, what it touches, and what the file system is afterwards.
//!
//! In: the state of a [`Generator`]. Out: the text of one command; its touch and its effect go into the generator.
//! Invariant: a command succeeds on the file system as the model has it, or ends in `|| true`.

use super::model::{Node, Place, join, parent};
use super::{Generator, NAMES, POOL, VARIABLES};

impl Generator {
    /// One name of a place: plain, from the working directory, through a link, or with detours.
    pub fn spell(&mut self, path: &str) -> String {
        let mut text = path.to_string();
        if self.random.one_in(2) {
            let files = &self.stage.files;
            let through = |link: &String| {
                let led = files.lead("/", link, true)?;
                let rest = path.strip_prefix(led.path.as_str())?;
                (rest.starts_with('/') && led.path != "/").then(|| format!("{link}{rest}"))
            };
            let links = files.0.iter().filter(|(_, n)| matches!(n, Node::Link(_)));
            let names: Vec<String> = links.filter_map(|(l, _)| through(l)).collect();
            if !names.is_empty() {
                text.clone_from(self.random.pick(&names));
            }
        }
        let cwd = self.dir.clone();
        let physical = self.stage.files.lead("/", &cwd, true).map(|l| l.path);
        // Where no WORKDIR was given an image may say anything.
        let known = self.stage.placed || self.dir != self.stage.cwd || self.random.one_in(500);
        if let Some(cwd) = physical
            && known
            && !self.random.one_in(3)
        {
            if let Some(rest) = text.strip_prefix(&format!("{}/", cwd.trim_end_matches('/'))) {
                return rest.to_string();
            }
            if parent(&cwd) != "/"
                && let Some(rest) = text.strip_prefix(&format!("{}/", parent(&cwd)))
            {
                return format!("../{rest}");
            }
        }
        let folder = parent(&text).to_string();
        let name = text.rsplit('/').next().unwrap_or_default().to_string();
        match self.random.below(24) {
            0 => format!("{}//{name}", folder.trim_end_matches('/')),
            1 => format!("{}/./{name}", folder.trim_end_matches('/')),
            2 if folder != "/" => {
                let inner = folder.rsplit('/').next().unwrap_or_default().to_string();
                format!("{folder}/../{inner}/{name}")
            }
            _ => text,
        }
    }

    pub fn led(&self, text: &str, last: bool) -> Option<String> {
        let led = self.stage.files.lead(&self.dir, text, last)?;
        Some(led.path)
    }

    fn touched(&mut self, text: &str, deep: bool, last: bool, write: bool) {
        let Some(led) = self.stage.files.lead(&self.dir, text, last) else {
            self.touch.all = true;
            return;
        };
        let place = |path| Place { path, deep: false };
        self.touch.reads.extend(led.links.into_iter().map(place));
        let place = Place {
            path: led.path,
            deep,
        };
        match write {
            true => self.touch.writes.push(place),
            false => self.touch.reads.push(place),
        }
    }

    pub fn reads(&mut self, text: &str, deep: bool) {
        self.touched(text, deep, true, false);
    }

    pub fn writes(&mut self, text: &str, deep: bool) {
        self.touched(text, deep, true, true);
    }

    /// Writes a name itself, not what it leads to.
    pub fn writes_name(&mut self, text: &str) {
        self.touched(text, true, false, true);
    }

    /// The file is there from now on.
    pub fn file(&mut self, text: &str) {
        if let Some(path) = self.led(text, true)
            && self.stage.files.is_folder(parent(&path))
        {
            if self.stage.app && !self.stage.files.is_there(&path) {
                self.stage.own.insert(path.clone());
            }
            self.stage.files.0.entry(path).or_insert(Node::File);
        }
    }

    /// Creates a folder and those above it.
    pub fn make(&mut self, text: &str) {
        let Some(led) = self.stage.files.lead(&self.dir, text, true) else {
            return;
        };
        let place = |path| Place { path, deep: false };
        self.touch.reads.extend(led.links.into_iter().map(place));
        let open = self.stage.app;
        let all: Vec<String> = super::model::above(&led.path)
            .map(str::to_string)
            .chain([led.path.clone()])
            .collect();
        for path in all {
            if !self.stage.files.is_there(&path) {
                self.touch.makes.insert(path.clone());
                self.stage.files.0.insert(path, Node::Folder { open });
            }
        }
    }

    fn is_odd(path: &str) -> bool {
        [
            "/bin",
            "/dev",
            "/proc",
            "/sys",
            "/sbin",
            "/root",
            "/usr/bin",
            "/usr/sbin",
        ]
        .iter()
        .any(|s| path == *s || path.starts_with(&format!("{s}/")))
            || matches!(
                path,
                "/" | "/etc" | "/usr" | "/etc/passwd" | "/etc/group" | "/home" | "/opt"
            )
    }

    /// A folder to work in that is there.
    pub fn known_folder(&mut self, writing: bool) -> Option<String> {
        let app = writing && self.stage.app;
        let fits = |(p, n): (&String, &Node)| match n {
            Node::Folder { open } if !Self::is_odd(p) && (*open || !app) => Some(p.clone()),
            _ => None,
        };
        let all: Vec<String> = self.stage.files.0.iter().filter_map(fits).collect();
        if !app && self.random.one_in(50) {
            return Some("/etc".to_string());
        }
        (!all.is_empty()).then(|| self.random.pick(&all).clone())
    }

    pub fn name(&mut self) -> &'static str {
        NAMES[self.random.below(NAMES.len())]
    }

    /// A folder of the pool; those in system folders less often.
    pub fn pool(&mut self) -> String {
        let first = *self.random.pick(&POOL);
        let system = first.starts_with("/etc") || first.starts_with("/usr");
        match system && !self.random.one_in(2) {
            true => self.random.pick(&POOL).to_string(),
            false => first.to_string(),
        }
    }

    /// A folder to write in, and the command that makes it where it may be missing.
    pub fn folder(&mut self) -> (String, String) {
        if (self.stage.app || !self.random.one_in(3))
            && let Some(folder) = self.known_folder(true)
        {
            return (String::new(), folder);
        }
        let folder = self.pool();
        if self.blocked(&folder) {
            return (String::new(), "/tmp".to_string());
        }
        let text = self.spell(&folder);
        self.make(&text);
        let folder = self.led(&text, true).unwrap_or(folder);
        (format!("mkdir -p {text} && "), folder)
    }

    /// Whether a folder cannot be made there.
    fn blocked(&self, folder: &str) -> bool {
        let Some(path) = self.led(folder, true) else {
            return true;
        };
        let mut all: Vec<&str> = super::model::above(&path).collect();
        all.push(&path);
        let files = &self.stage.files;
        all.iter().any(|p| files.is_there(p) && !files.is_folder(p))
            || self.stage.app && !path.starts_with("/tmp")
    }

    /// A file that is there.
    pub fn known_file(&mut self) -> Option<String> {
        let fits =
            |(p, n): (&String, &Node)| (*n == Node::File && !Self::is_odd(p)).then(|| p.clone());
        let all: Vec<String> = self.stage.files.0.iter().filter_map(fits).collect();
        (!all.is_empty()).then(|| self.random.pick(&all).clone())
    }

    /// A file to write: the command in front of it and its name.
    pub fn target(&mut self) -> (String, String) {
        let (before, folder) = self.folder();
        let mut path = folder.clone();
        for _ in 0..4 {
            path = join(&folder, self.name());
            let led = self.led(&path, true).unwrap_or_default();
            let files = &self.stage.files;
            let free = !self.stage.app || !files.is_there(&path) || self.stage.own.contains(&led);
            if free && !files.is_folder(&led) && files.is_folder(parent(&led)) {
                break;
            }
            self.counter += 1;
            path = join(&folder, &format!("u{}", self.counter));
        }
        (before, self.spell(&path))
    }

    /// A name in a folder that nothing has yet.
    pub fn unused(&mut self) -> (String, String) {
        let (before, folder) = self.folder();
        self.counter += 1;
        let path = join(&folder, &format!("u{}", self.counter));
        (before, self.spell(&path))
    }

    pub fn word(&mut self) -> String {
        self.counter += 1;
        match self.random.below(5) {
            0 => format!("\"$V{}\"", ""),
            1 => format!("\"${}\"", self.random.pick(&VARIABLES)),
            _ => format!("t{}", self.counter),
        }
    }

    /// One command that leaves something.
    pub fn fragment(&mut self) -> String {
        let kind = self.random.below(104);
        self.try_fragment(kind)
            .unwrap_or_else(|| self.try_fragment(0).unwrap_or_else(|| ":".to_string()))
    }

    pub fn out(&mut self, command: &str) -> String {
        let (before, target) = self.target();
        // What reads and appends to one file, by whatever name, never ends.
        let ends = ["echo", "printf", "ls", "stat", "wc"];
        let ends = ends.iter().any(|name| command.starts_with(name));
        let mark = match ends && self.random.one_in(4) {
            true => ">>",
            false => ">",
        };
        self.writes(&target, false);
        self.file(&target);
        format!("{before}{command} {mark} {target}")
    }

    pub fn input(&mut self) -> Option<String> {
        let file = self.known_file()?;
        let text = self.spell(&file);
        self.reads(&text, false);
        Some(text)
    }

    pub fn tree(&mut self) -> Option<String> {
        let folder = self.known_folder(false)?;
        let text = self.spell(&folder);
        self.reads(&text, true);
        Some(text)
    }

    fn try_fragment(&mut self, kind: usize) -> Option<String> {
        Some(match kind {
            0..=12 => {
                let word = self.word();
                match self.random.below(4) {
                    0 => self.out(&format!("printf '%s\\n' {word}")),
                    1 => {
                        let (before, target) = self.target();
                        self.writes(&target, false);
                        self.file(&target);
                        format!("{before}echo {word} | tee -a {target} >/dev/null")
                    }
                    _ => self.out(&format!("echo {word}")),
                }
            }
            13..=19 => {
                let one = self.input()?;
                let command = match self.random.below(6) {
                    0 => format!("head -n 1 {one}"),
                    1 => format!("sort {one}"),
                    2 => format!("wc -c < {one}"),
                    3 => format!("grep -c o {one}"),
                    _ => format!("cat {one} {}", self.input()?),
                };
                let tail = if command.starts_with("grep") {
                    " || true"
                } else {
                    ""
                };
                format!("{}{tail}", self.out(&command))
            }
            20..=28 => self.copy()?,
            29..=34 => self.rename()?,
            35..=42 => self.removal()?,
            43..=50 => {
                let (before, folder) = self.folder();
                let name = self.random.pick(&["in", "sub", "x", "b"]).to_string();
                let path = join(&folder, &name);
                if self.stage.files.is_there(&path) {
                    let text = self.spell(&path);
                    self.reads(&text, false);
                    self.writes(&text, false);
                    return Some(format!("{before}{{ [ -e {text} ] || mkdir {text}; }}"));
                }
                let text = self.spell(&path);
                match self.random.below(4) {
                    0 => {
                        self.writes(&text, false);
                        self.stage.files.0.insert(
                            path,
                            Node::Folder {
                                open: self.stage.app,
                            },
                        );
                        format!("{before}mkdir {text}")
                    }
                    1 => {
                        self.reads(&text, false);
                        self.writes(&text, false);
                        self.stage.files.0.insert(
                            path,
                            Node::Folder {
                                open: self.stage.app,
                            },
                        );
                        format!("{before}{{ [ -d {text} ] || mkdir {text}; }}")
                    }
                    2 => {
                        self.make(&text);
                        format!("{before}mkdir -p {text}")
                    }
                    _ => {
                        self.make(&text);
                        let word = self.word();
                        let inner = format!("{text}/{}", self.random.pick::<&str>(&NAMES));
                        self.writes(&inner, false);
                        self.file(&inner);
                        format!("{before}mkdir -p {text} && echo {word} > {inner}")
                    }
                }
            }
            51..=53 => {
                let (before, target) = self.target();
                self.writes(&target, false);
                self.file(&target);
                format!("{before}touch {target}")
            }
            54..=60 => self.link()?,
            61..=66 => self.permission()?,
            67..=69 => {
                let file = self.writable_file()?;
                let text = self.spell(&file);
                self.reads(&text, false);
                self.writes(&text, false);
                format!("sed -i 's/t/T{}/' {text}", self.counter)
            }
            70..=75 => self.search()?,
            76..=78 => {
                let tree = self.tree()?;
                let flags = self.random.pick(&["", "-a ", "-R ", "-1 "]).to_string();
                self.out(&format!("ls {flags}{tree}"))
            }
            79..=85 => self.conditional()?,
            86..=89 => self.movement()?,
            90..=91 => {
                let one = self.input()?;
                let out = self.out("echo \"[$x]\"");
                format!("x=$(cat {one}); {out}")
            }
            92 if !self.stage.app => {
                let out = self.fragment();
                let mask = self.random.pick(&["077", "022", "027"]).to_string();
                format!("umask {mask}; {out}")
            }
            93 => {
                self.touch.all = true;
                let command = self
                    .random
                    .pick(&["env", "export -p", "export -p V"])
                    .to_string();
                self.out(&command)
            }
            94..=95 => {
                let word = self.word();
                let (before, target) = self.target();
                self.writes(&target, false);
                self.file(&target);
                format!("{before}sh -c 'echo {word} > {target}'")
            }
            96..=97 => {
                let word = self.word();
                let (before, target) = self.target();
                self.writes(&target, false);
                self.file(&target);
                format!("{before}for i in 1 2; do echo {word} $i >> {target}; done")
            }
            98 if !self.stage.app && self.random.one_in(2) => {
                self.counter += 1;
                let name = format!("u{}", self.counter % 3);
                for file in ["/etc/passwd", "/etc/group"] {
                    self.writes(file, false);
                }
                format!("{{ adduser -D -H {name} || true; }}")
            }
            99..=100 => {
                let one = self.input()?;
                let two = self.input()?;
                let saved = self.stage.files.clone();
                let out = self.out("echo differ");
                self.stage.files = saved;
                format!("{{ cmp -s {one} {two} || {out}; }}")
            }
            101 => {
                let one = self.input()?;
                self.out(&format!("stat -c '%a %s' {one}"))
            }
            102 if self.random.one_in(5) => {
                let one = self.input()?;
                self.out(&format!("awk '{{ print $1 }}' {one}"))
            }
            _ => {
                let name = self.random.pick(&VARIABLES).to_string();
                self.out(&format!("echo \"${{{name}:-none}}\""))
            }
        })
    }

    pub fn writable_file(&mut self) -> Option<String> {
        let file = self.known_file()?;
        (!self.stage.app || self.stage.own.contains(&file)).then_some(file)
    }
}
