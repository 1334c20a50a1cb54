//! Instructions of random plans around the commands: FROM, COPY, ADD, mounts, users, settings.

use super::context;
use super::model::{Files, Node, Place, Touch, above, join};
use super::{Generator, Instruction, NAMES, POOL, Stage, VARIABLES};

/// Settings that make no step.
const SETTINGS: [&str; 9] = [
    "LABEL a=b",
    "EXPOSE 80",
    "CMD [\"sh\"]",
    "ENTRYPOINT [\"sh\"]",
    "STOPSIGNAL 9",
    "VOLUME /data",
    "VOLUME /vol",
    "HEALTHCHECK CMD true",
    "LABEL c=\"d e\" f=g",
];

impl Generator {
    /// Starts a stage; its FROM with the comment above it.
    pub fn begin(&mut self, index: usize, last: bool) -> String {
        let name = format!(" AS s{index}");
        self.set.clear();
        if index > 0 && self.random.one_in(3) {
            let base = self.random.below(index);
            self.stages[base].used = true;
            self.stage = self.stages[base].clone();
            self.stage.used = false;
            return format!("FROM s{base}{name}\n");
        }
        let mut stage = Stage {
            cwd: "/".to_string(),
            told: true,
            ..Stage::default()
        };
        if index > 0 && last && self.random.one_in(5) {
            stage.bare = true;
            stage
                .files
                .0
                .insert("/".to_string(), Node::Folder { open: false });
            self.stage = stage;
            return format!("FROM scratch{name}\n");
        }
        stage.files = Files::base();
        stage.told = !self.random.one_in(12);
        self.stage = stage;
        match self.stage.told {
            true => format!("# cacheplan: plain-base\nFROM busybase{name}\n"),
            false => format!("FROM busybase{name}\n"),
        }
    }

    fn push(&mut self, text: String) {
        let touch = std::mem::take(&mut self.touch);
        let touch = Some(touch);
        self.written.push(Instruction { text, touch });
    }

    fn setting(&mut self, text: String) {
        self.touch = Touch::default();
        self.written.push(Instruction { text, touch: None });
    }

    fn owner(&self) -> String {
        if self.stage.app { "app" } else { "root" }.to_string()
    }

    pub fn instruction(&mut self, index: usize) {
        self.touch = Touch {
            owner: self.owner(),
            ..Touch::default()
        };
        self.dir.clone_from(&self.stage.cwd);
        match self.random.below(100) {
            0..=57 if !self.stage.bare => self.run(),
            58..=63 if !self.stage.bare => self.mounted(),
            64..=67 if index > 0 => self.take(index),
            68..=71 => {
                let name = *self.random.pick(&VARIABLES);
                self.set.insert(name);
                self.counter += 1;
                let word = if self.random.one_in(3) { "ARG" } else { "ENV" };
                self.setting(format!("{word} {name}=v{}", self.counter));
            }
            72..=75 => {
                let line = self.random.pick(&SETTINGS).to_string();
                self.setting(line);
            }
            76..=78 => self.workdir(),
            79..=80 if !self.stage.bare => {
                self.stage.app = !self.stage.app;
                let user = match (self.stage.app, self.random.one_in(3)) {
                    (true, true) => "1000:1000",
                    (true, false) => "app",
                    (false, _) => "root",
                };
                self.setting(format!("USER {user}"));
            }
            81..=84 => self.heredoc(),
            85 => self.archive(),
            _ => self.copy_files(),
        }
    }

    fn run(&mut self) {
        if !self.stage.app && self.random.one_in(10) {
            return self.exec();
        }
        let count = [1, 1, 1, 2, 2, 3][self.random.below(6)];
        let parts: Vec<String> = (0..count).map(|_| self.fragment()).collect();
        let cwd = self.stage.cwd.clone();
        if cwd != "/" {
            self.reads(&cwd, false);
        }
        let text = match self.random.below(6) {
            0 => format!("RUN <<E\n{}\nE", parts.join("\n")),
            1 => format!("RUN set -e; {}", parts.join("; ")),
            2 => format!("RUN {}", parts.join("; ")),
            _ => format!("RUN {}", parts.join(" && \\\n    ")),
        };
        // With one command of several that may fail the rest is another matter.
        self.push(text);
    }

    fn exec(&mut self) {
        let folder = self.pool();
        let text = self.spell(&folder);
        match self.random.below(3) {
            0 => match self.known_folder(true) {
                Some(folder) => {
                    let mut path = join(&folder, self.random.pick::<&str>(&NAMES));
                    if self.stage.files.is_folder(&path) {
                        path = join(&folder, "fresh");
                    }
                    let text = self.spell(&path);
                    self.writes(&text, false);
                    self.file(&text);
                    self.push(format!("RUN [\"touch\", \"{text}\"]"));
                }
                None => self.run_echo(),
            },
            1 => {
                self.writes_name(&text);
                self.reads(&text, false);
                let led = self.stage.files.lead(&self.dir, &text, true);
                if led.is_none_or(|l| self.stage.files.is_there(&l.path)) {
                    return self.run_echo();
                }
                self.touch = Touch {
                    owner: self.owner(),
                    ..Touch::default()
                };
                self.make(&text);
                self.push(format!("RUN [\"mkdir\", \"-p\", \"{text}\"]"));
            }
            _ => {
                let inner = self.fragment();
                let inner = inner.replace('\\', "\\\\").replace('"', "\\\"");
                self.push(format!("RUN [\"sh\", \"-c\", \"{inner}\"]"));
            }
        }
    }

    fn run_echo(&mut self) {
        self.touch = Touch {
            owner: self.owner(),
            ..Touch::default()
        };
        self.counter += 1;
        let text = format!("/tmp/e{}", self.counter);
        self.writes(&text, false);
        self.file(&text);
        self.push(format!("RUN echo e > {text}"));
    }

    fn mounted(&mut self) {
        let (before, target) = {
            let (before, folder) = self.folder();
            let mut path = join(&folder, self.random.pick::<&str>(&NAMES));
            if self.stage.files.is_folder(&path) {
                path = join(&folder, "mounted");
            }
            (before, self.spell(&path))
        };
        self.writes(&target, false);
        self.file(&target);
        let line = match self.random.below(4) {
            0 => {
                self.touch.makes.insert("/m".to_string());
                format!(
                    "RUN --mount=type=bind,source=src,target=/m {before}cat /m/f /m/n.txt > {target}"
                )
            }
            1 => {
                self.touch.makes.insert("/cache".to_string());
                // The mount is shared by all that name it.
                self.touch.writes.push(Place {
                    path: "/cache".to_string(),
                    deep: true,
                });
                format!(
                    "RUN --mount=type=cache,target=/cache {before}echo c > /cache/c && cat /cache/c > {target}"
                )
            }
            2 => {
                self.touch.makes.insert("/scratch".to_string());
                format!(
                    "RUN --mount=type=tmpfs,target=/scratch {before}echo s > /scratch/s && cp /scratch/s {target}"
                )
            }
            _ => {
                self.touch.makes.insert("/m".to_string());
                format!("RUN --mount=type=bind,target=/m,source=conf {before}cp /m/k.conf {target}")
            }
        };
        self.push(line);
    }

    pub fn workdir(&mut self) {
        self.dir.clone_from(&self.stage.cwd);
        let folder = self.pool();
        let text = match self.stage.placed && self.random.one_in(3) {
            true => self.random.pick(&["in", "x"]).to_string(),
            false => self.spell(&folder),
        };
        let at = match text.starts_with('/') {
            true => text.clone(),
            false => join(&self.stage.cwd.clone(), &text),
        };
        let led = self.stage.files.lead("/", &at, true);
        let clear = led.is_some_and(|l| {
            let files = &self.stage.files;
            let mut all: Vec<&str> = above(&l.path).collect();
            all.push(&l.path);
            all.iter().all(|p| files.is_folder(p) || !files.is_there(p))
        });
        self.stage.placed = true;
        if !clear || text.contains("..") {
            self.stage.cwd = "/tmp".to_string();
            self.make("/tmp");
            return self.setting("WORKDIR /tmp".to_string());
        }
        self.make(&at);
        self.stage.cwd = at;
        self.setting(format!("WORKDIR {text}"));
    }

    /// Where a COPY goes: a folder, which it makes where it is missing.
    fn destination(&mut self) -> Option<(String, String)> {
        let folder = match self.random.one_in(3) {
            true => self.known_folder(false)?,
            false => self.pool(),
        };
        self.dir.clone_from(&self.stage.cwd);
        let text = self.spell(&folder);
        let led = self.stage.files.lead(&self.dir, &text, true)?;
        let mut all: Vec<&str> = above(&led.path).collect();
        all.push(&led.path);
        let files = &self.stage.files;
        let clear = all.iter().all(|p| files.is_folder(p) || !files.is_there(p));
        clear.then_some((text, led.path))
    }

    /// Puts a file of a COPY there, and the folders above it.
    fn place(&mut self, path: &str, link: Option<&str>) {
        let folders: Vec<String> = above(path).map(str::to_string).collect();
        for folder in folders {
            if !self.stage.files.is_there(&folder) {
                self.touch.makes.insert(folder.clone());
                let node = Node::Folder { open: false };
                self.stage.files.0.insert(folder, node);
            }
        }
        self.touch.writes.push(Place {
            path: path.to_string(),
            deep: false,
        });
        let node = link.map_or(Node::File, |to| Node::Link(to.to_string()));
        self.stage.files.0.insert(path.to_string(), node);
    }

    fn copy_files(&mut self) {
        let Some((text, path)) = self.destination() else {
            return self.copy_plain();
        };
        self.touch.owner = "root".to_string();
        let mut flags = String::new();
        match self.random.below(6) {
            0 => {
                let owner = *self.random.pick(&["app", "1000:1000", "app:app"]);
                if owner.contains("app") && self.stage.bare {
                    return self.copy_plain();
                }
                flags = format!("--chown={owner} ");
                self.touch.owner = owner.to_string();
                if owner.contains("app") {
                    self.reads("/etc/passwd", false);
                    self.reads("/etc/group", false);
                }
            }
            1 => {
                flags = "--chmod=750 ".to_string();
                self.touch.owner = "root 750".to_string();
            }
            2 if self.random.one_in(2) => flags = "--link ".to_string(),
            _ => {}
        }
        if let Some(led) = self.stage.files.lead(&self.dir, &text, true) {
            let place = |path| Place { path, deep: false };
            self.touch.reads.extend(led.links.into_iter().map(place));
        }
        let files = &self.stage.files;
        let (sources, names): (&str, Vec<(&str, Option<&str>)>) = match self.random.below(7) {
            0 => ("f g", vec![("f", None), ("g", None)]),
            1 => ("src", context::below("src")),
            2 => {
                flags.push_str("--exclude=**/*.md ");
                let mut all = context::below("src");
                all.retain(|(p, _)| !p.ends_with(".md"));
                ("src", all)
            }
            3 if self.random.one_in(2) => ("links", context::below("links")),
            4 => ("h.txt conf/k.conf", vec![("h.txt", None), ("k.conf", None)]),
            _ => ("f", vec![("f", None)]),
        };
        let clash = names.iter().any(|(name, _)| {
            let at = join(&path, name);
            files.is_folder(&at) || above(&at).any(|p| files.is_there(p) && !files.is_folder(p))
        });
        if clash {
            return self.copy_plain();
        }
        if matches!(sources, "src" | "links") {
            // The folder itself gets what the source's has.
            self.touch.writes.push(Place {
                path: path.clone(),
                deep: false,
            });
        }
        for (name, link) in names {
            self.place(&join(&path, name), link);
        }
        if flags.starts_with("--link") {
            self.touch.all = self.touch.reads.iter().any(|r| r.path != path);
        }
        self.push(format!("COPY {flags}{sources} {text}/"));
    }

    fn copy_plain(&mut self) {
        self.touch = Touch {
            owner: "root".to_string(),
            ..Touch::default()
        };
        self.counter += 1;
        let path = format!("/c{}", self.counter);
        self.place(&path, None);
        self.push(format!("COPY g {path}"));
    }

    fn heredoc(&mut self) {
        let Some((text, path)) = self.destination() else {
            return self.copy_plain();
        };
        self.touch.owner = "root".to_string();
        let name = *self.random.pick(&NAMES);
        let place = join(&path, name);
        if self.stage.files.is_folder(&place) {
            return self.copy_plain();
        }
        if let Some(led) = self.stage.files.lead(&self.dir, &text, true) {
            let place = |path| Place { path, deep: false };
            self.touch.reads.extend(led.links.into_iter().map(place));
        }
        self.place(&place, None);
        let variable = *self.random.pick(&VARIABLES);
        let mark = if self.random.one_in(2) { "'E'" } else { "E" };
        self.push(format!("COPY <<{mark} {text}/{name}\n${variable} here\nE"));
    }

    fn archive(&mut self) {
        let Some((text, path)) = self.destination() else {
            return self.copy_plain();
        };
        self.touch.owner = "root".to_string();
        let files = &self.stage.files;
        if ["t", "t/f", "t/g", "t/l"]
            .iter()
            .any(|n| files.is_there(&join(&path, n)))
        {
            return self.copy_plain();
        }
        if let Some(led) = self.stage.files.lead(&self.dir, &text, true) {
            let place = |path| Place { path, deep: false };
            self.touch.reads.extend(led.links.into_iter().map(place));
        }
        self.touch.writes.push(Place {
            path: join(&path, "t"),
            deep: true,
        });
        for (name, link) in [("t/f", None), ("t/g", None), ("t/l", Some("f"))] {
            self.place(&join(&path, name), link);
        }
        self.push(format!("ADD t.tar {text}/"));
    }

    /// Files of an earlier stage.
    fn take(&mut self, index: usize) {
        let other = self.random.below(index);
        let fits = |(p, n): (&String, &Node)| {
            let file = *n == Node::File && !p.starts_with("/etc");
            let folder = matches!(n, Node::Folder { .. })
                && POOL.iter().any(|t| p.starts_with(t))
                && p != "/tmp";
            (file || folder).then(|| p.clone())
        };
        let all: Vec<String> = self.stages[other].files.0.iter().filter_map(fits).collect();
        if all.is_empty() {
            return self.copy_plain();
        }
        let from = self.random.pick(&all).clone();
        self.stages[other].used |= self.random.one_in(3);
        self.touch.owner = "root".to_string();
        self.counter += 1;
        let files = self.stages[other].files.clone();
        let (text, path) = match self.destination() {
            Some((text, path)) if self.stage.files.below(&path).is_empty() => (text, path),
            _ => {
                let path = format!("/o{}", self.counter);
                (path.clone(), path)
            }
        };
        if let Some(led) = self.stage.files.lead("/", &text, true) {
            let place = |path| Place { path, deep: false };
            self.touch.reads.extend(led.links.into_iter().map(place));
        }
        if files.is_folder(&from) {
            self.place(&path, None);
            self.stage.files.remove(&path);
            let tree = Files(files.0.clone());
            let mut moved = Files::default();
            for below in tree.below(&from).into_iter().chain([from.clone()]) {
                let to = format!("{path}{}", &below[from.len()..]);
                moved.0.insert(to, tree.0[&below].clone());
            }
            self.stage.files.0.extend(moved.0);
            self.touch.writes.push(Place { path, deep: true });
            self.push(format!("COPY --from=s{other} {from} {text}"));
        } else {
            let name = from.rsplit('/').next().unwrap_or_default().to_string();
            let place = join(&path, &name);
            self.place(&place, None);
            self.push(format!("COPY --from=s{other} {from} {text}/"));
        }
    }

    /// All of an earlier stage, so that it is compared as well.
    pub fn take_all(&mut self, other: usize) {
        self.touch = Touch {
            owner: "root".to_string(),
            ..Touch::default()
        };
        let path = format!("/all{other}");
        self.touch.makes.insert(path.clone());
        self.touch.writes.push(Place { path, deep: true });
        self.push(format!("COPY --from=s{other} / /all{other}/"));
    }
}
