//! The Dockerfile of a random history: its stages, their instructions, and edits of them between commits.
//!
//! In: the state of a `Generator`. Out: more stages in it, or one more `write` of the Dockerfile in its text.
//! Invariant: a RUN never fails, and a path in `outputs` is there whatever the history did before.

use super::history::Kind;
use super::random_history::{Generator, selects};
use std::fmt::Write as _;

/// One instruction; only movable ones change places in an edit, as the others carry what follows.
pub struct Instruction {
    pub text: String,
    pub movable: bool,
}

/// One stage and what later steps may count on in it.
pub struct Stage {
    pub from: String,
    pub instructions: Vec<Instruction>,
    pub has_shell: bool,
    pub is_root: bool,
    /// Where relative paths lead is known: an image's own directory is not.
    pub has_dir: bool,
    /// Folders that earlier steps copied to.
    pub copied: Vec<String>,
    /// Those of them that are there whatever the sources were.
    pub certain: Vec<String>,
    /// Paths that are there for certain at the end, so that another stage may take them.
    pub outputs: Vec<String>,
}

/// Instructions that make no step.
const METADATA: [&str; 8] = [
    "LABEL a=b",
    "EXPOSE 80",
    "CMD [\"sh\"]",
    "ENTRYPOINT sh",
    "STOPSIGNAL 9",
    "VOLUME /data",
    "HEALTHCHECK CMD true",
    "MAINTAINER somebody",
];

/// Edits of a line that a reviewer might make; some change the key, some do not.
const EDITS: [(&str, &str); 22] = [
    ("target=/c ", "target=/c,id=k "),
    ("id=k ", "id=j "),
    ("target=/c ", "target=/c,sharing=locked "),
    ("target=/c ", "target=/c2 "),
    ("type=bind,", "type=bind,rw,"),
    ("--link ", ""),
    ("/sub/", "/sub2/"),
    ("WORKDIR /w", "WORKDIR /v"),
    ("--exclude=*.md", "--exclude=*.txt"),
    ("--chown=1000 ", "--chown=1000:1000 "),
    ("--chmod=0640 ", "--chmod=640 "),
    ("RUN ", "RUN --network=none "),
    ("RUN ", "run   "),
    ("COPY src ", "COPY ./src/ "),
    ("COPY src/* ", "COPY src "),
    ("ADD ", "COPY "),
    ("USER app", "USER 1000"),
    ("ENV E=", "ENV F=1 E="),
    ("ARG A=1", "ENV A=1"),
    ("size=4096", "size=8192"),
    ("id=token", "id=other"),
    ("/bin/sh\", \"-c", "/bin/sh\", \"-xc"),
];

impl Generator {
    pub fn fill_stage(&mut self, index: usize) {
        let last = index + 1 == self.stages.len();
        let (mut from, mut has_shell, mut is_root) = (self.base.to_string(), true, true);
        let mut has_dir = false;
        let (mut copied, mut certain, mut outputs) = (Vec::new(), Vec::new(), Vec::new());
        if index > 0 && self.random.one_in(3) {
            let base = self.random.below(index);
            let base_stage = &self.stages[base];
            from = format!("s{base}");
            (has_shell, is_root) = (base_stage.has_shell, base_stage.is_root);
            has_dir = base_stage.has_dir;
            copied.clone_from(&base_stage.copied);
            certain.clone_from(&base_stage.certain);
            outputs.clone_from(&base_stage.outputs);
        } else if (last && index > 0 && self.random.one_in(4))
            || (!last && self.random.one_in(4))
            || self.random.one_in(20)
        {
            (from, has_shell) = ("scratch".to_string(), false);
            has_dir = true;
        }
        let name = if last && self.random.one_in(2) {
            String::new()
        } else {
            format!(" AS s{index}")
        };
        let mut instructions = Vec::new();
        if index > 0
            && from == self.base
            && self.stages[0]
                .from
                .starts_with(&format!("FROM {}", self.base))
            && self.random.one_in(3)
        {
            // The same beginning as the first stage: one vertex each to the builder.
            for instruction in self.stages[0].instructions.iter().take(2) {
                instructions.push(Instruction {
                    text: instruction.text.clone(),
                    movable: false,
                });
            }
        }
        self.stages[index] = Stage {
            from: format!("FROM {from}{name}"),
            instructions,
            has_shell,
            is_root,
            has_dir,
            copied,
            certain,
            outputs,
        };
        for _ in 0..2 + self.random.below(5) {
            self.add_instruction(index);
        }
        if index > 0 && !self.random.one_in(5) {
            self.copy_from_stage(index);
        }
        if index > 0 && last && self.random.one_in(3) {
            self.copy_from_stage(index);
        }
        if !last && self.random.one_in(12) {
            let number = self.number();
            let source = self.source();
            let line = match self.random.below(3) {
                0 if has_shell && self.runs => format!("ONBUILD RUN echo $A > /tmp/b{number}"),
                1 => format!("ONBUILD WORKDIR /b{number}"),
                _ => format!("ONBUILD COPY {source} /b{number}/"),
            };
            self.push(index, line, false);
        }
        if has_shell && self.runs && self.random.one_in(5) {
            let user = *self.random.pick(&["app", "1000:1000", "0"]);
            let number = self.number();
            self.push(index, format!("USER {user}"), false);
            self.stages[index].is_root &= user == "0";
            if self.random.one_in(2) {
                self.push(index, format!("WORKDIR /u{number}"), false);
            }
            self.push(
                index,
                format!("RUN id -un > /tmp/u{number}; : h{}", self.seed),
                false,
            );
        }
        if self.random.one_in(2) {
            let line = *self.random.pick(&METADATA);
            self.push(index, line.to_string(), true);
        }
    }

    fn push(&mut self, index: usize, text: String, movable: bool) {
        self.stages[index]
            .instructions
            .push(Instruction { text, movable });
    }

    fn add_instruction(&mut self, index: usize) {
        let number = self.number();
        let shell = self.stages[index].has_shell;
        match self.random.below(12) {
            0..=3 => self.copy(index),
            4..=7 if shell => self.run(index),
            8 => {
                let mut folder = *self.random.pick(&["/w", "w", "/w/", "sub/x", "/w$E"]);
                if !self.stages[index].has_dir && !folder.starts_with('/') {
                    folder = "/w";
                }
                self.stages[index].has_dir = true;
                self.push(index, format!("WORKDIR {folder}"), true);
            }
            9 => {
                let value = self.random.below(3);
                let line = *self.random.pick(&[
                    "ENV E=v@",
                    "ENV E=v@ F=\"w $A\"",
                    "ENV G v@",
                    "ENV A=env@",
                ]);
                self.push(index, line.replace('@', &value.to_string()), true);
            }
            10 => {
                let mut line = *self
                    .random
                    .pick(&["ARG A", "ARG A=1", "ARG B=2", "ARG C=$B"]);
                if self.volatile && self.random.one_in(2) {
                    line = "ARG V";
                }
                self.push(index, line.to_string(), true);
            }
            11 if self.random.one_in(5) => {
                let line = *self.random.pick(&[
                    "SHELL [\"/bin/sh\", \"-xc\"]",
                    "SHELL [\"/bin/sh\", \"-c\"]",
                ]);
                self.push(index, line.to_string(), true);
            }
            11 if self.random.one_in(4) => {
                let text = format!(
                    "COPY <<A{number} <<\"B{number}\" /h{number}/\n{} $E\nA{number}\n$E\nB{number}",
                    self.seed
                );
                self.push(index, text, true);
            }
            11 => {
                let link = if self.random.one_in(3) { "--link " } else { "" };
                let text = format!(
                    "COPY {link}<<DOC{number} /h{number}/\n{} $E\nDOC{number}",
                    self.seed
                );
                self.push(index, text, true);
            }
            _ => self.copy(index),
        }
    }

    fn source(&mut self) -> String {
        // One source in eight may be one that is ignored or not there.
        let blind = self.random.one_in(8);
        let sent = if blind { self.files() } else { self.sent() };
        let mut files = sent.clone();
        if !self.random.one_in(4) {
            // Links may dangle and these names are often ignored, which refuses the build.
            let rare =
                |path: &str| path.ends_with(".md") || path.ends_with("z.txt") || path.len() < 6;
            files.retain(|(path, kind)| *kind != Kind::Link && !rare(path));
        }
        if files.is_empty() {
            return ".".to_string();
        }
        let source = match self.random.below(10) {
            0 => ".".to_string(),
            1..=3 => (*self.random.pick(&[
                "src",
                "src/",
                "./src/lib",
                "conf",
                "docs/",
                "data",
                "src/lib/../../conf",
            ]))
            .to_string(),
            4..=6 => self.random.pick(&files).0.clone(),
            _ => (*self.random.pick(&[
                "src/*.txt",
                "*.md",
                "src/*",
                "conf/?.json",
                "src/[ab]*",
                "*",
                "d*/*",
                "src/l*",
            ]))
            .to_string(),
        };
        if blind || selects(&source, &sent) {
            return source;
        }
        self.random.pick(&files).0.clone()
    }

    fn copy(&mut self, index: usize) {
        let number = self.number();
        let mut sources = vec![self.source()];
        while self.random.one_in(5) {
            sources.push(self.source());
        }
        let mut flags = String::new();
        let link = self.random.one_in(5);
        if link {
            flags += "--link ";
        }
        if self.random.one_in(7) {
            let owner = if link || !self.runs {
                "1000:1000"
            } else {
                *self.random.pick(&["app", "1000", "app:app", "0:0"])
            };
            let _ = write!(flags, "--chown={owner} ");
        }
        if self.random.one_in(8) {
            flags += *self
                .random
                .pick(&["--chmod=755 ", "--chmod=0640 ", "--chmod=600 "]);
        }
        let add = self.random.one_in(6);
        if !add && self.random.one_in(7) {
            flags += *self.random.pick(&[
                "--exclude=*.md ",
                "--exclude=**/*.txt ",
                "--exclude=lib ",
                "--exclude=nothing ",
            ]);
        }
        let destination = match self.random.below(5) {
            0 if self.stages[index].has_dir => format!("d{number}/"),
            1 => format!("/d{number}/sub/"),
            _ => format!("/d{number}/"),
        };
        let keyword = if add { "ADD" } else { "COPY" };
        self.push(
            index,
            format!("{keyword} {flags}{} {destination}", sources.join(" ")),
            true,
        );
        if destination.starts_with('/') {
            let folder = format!("/d{number}");
            // A base image may hold anything: a folder that a wildcard did not fill can't be called missing.
            let plain = sources.iter().any(|s| !s.contains(['*', '?', '[']));
            if (plain && !flags.contains("--exclude")) || !self.stages[index].has_shell {
                self.stages[index].certain.push(folder.clone());
            }
            self.stages[index].copied.push(folder);
        }
    }

    /// A path that an earlier COPY of the stage filled, in the ways one may name it.
    fn copied_path(&mut self, from: usize) -> Option<String> {
        let copied = self.stages[from].certain.clone();
        if copied.is_empty() {
            return None;
        }
        let path = self.random.pick(&copied).clone();
        Some(match self.random.below(8) {
            0 => format!("{path}/"),
            1 => format!("{path}/*"),
            2 => format!("{path}/*.txt"),
            3 => format!("{path}/."),
            4 if !self.stages[from].has_shell && self.random.one_in(3) => format!("{path}/x.json"),
            _ => path,
        })
    }

    fn copy_from_stage(&mut self, index: usize) {
        let from = self.random.below(index);
        let outputs = self.stages[from].outputs.clone();
        if outputs.is_empty() && self.stages[from].certain.is_empty() {
            return self.copy(index);
        }
        for _ in 0..1 + self.random.below(2) {
            let number = self.number();
            let mut path = match self.copied_path(from) {
                Some(copied) if outputs.is_empty() || !self.random.one_in(48) => copied,
                None if !self.random.one_in(6) => return self.copy(index),
                _ if outputs.is_empty() => return self.copy(index),
                _ => self.random.pick(&outputs).clone(),
            };
            if self.stages[from].has_shell && self.random.one_in(8) {
                let paths = ["/etc/passwd", "/bin/sh", "/etc", "/o", "/o/*"];
                let made = !outputs.is_empty() && self.random.one_in(4);
                let known = if made { 5 } else { 3 };
                path = (*self.random.pick(&paths[..known])).to_string();
            }
            if self.random.one_in(20) {
                path = "/".to_string();
            }
            let flags =
                *self
                    .random
                    .pick(&["", "", "", "--link ", "--chown=1000:1000 ", "--chmod=644 "]);
            let mut stage = if self.random.one_in(4) {
                from.to_string()
            } else {
                format!("s{from}")
            };
            if self.random.one_in(10) {
                (stage, path) = (self.base.to_string(), "/etc/passwd".to_string());
            }
            let exclude = if path.starts_with("/d") && self.random.one_in(12) {
                "--exclude=*.md "
            } else {
                ""
            };
            self.push(
                index,
                format!("COPY {flags}{exclude}--from={stage} {path} /f{number}/"),
                true,
            );
            self.stages[index].copied.push(format!("/f{number}"));
        }
        if self.stages[index].has_shell {
            self.run(index);
        }
    }

    fn run(&mut self, index: usize) {
        if !self.runs {
            return self.copy(index);
        }
        let number = self.number();
        let stage = &self.stages[index];
        let root = stage.is_root;
        let copied = if stage.copied.is_empty() {
            "/nothing".to_string()
        } else {
            self.random.pick(&stage.copied).clone()
        };
        let mut mounts = String::new();
        let mut command = match self.random.below(6) {
            0 => "echo constant".to_string(),
            1 => format!("find {copied} | sort"),
            2 => "echo \"$A $B $E\"".to_string(),
            3 => format!("cat {copied}/* | wc -c"),
            _ => format!("cat {copied}/*"),
        };
        match self.random.below(14) {
            0 | 1 => {
                let source = *self.random.pick(&[
                    "source=src,",
                    "rw,source=src,",
                    "source=src/a.txt,",
                    "source=conf,",
                    "source=docs/,",
                    "",
                ]);
                let _ = write!(mounts, "--mount=type=bind,{source}target=/m{number} ");
                command = format!("cat /m{number} /m{number}/*");
            }
            2 | 3 if index > 0 => {
                let from = self.random.below(index);
                let output = self.stages[from].outputs.first().cloned();
                let copied = self.stages[from].certain.last().cloned();
                let path = match (output, copied) {
                    (Some(output), _) if self.random.one_in(48) => Some(output),
                    (output, copied) => copied.or(output.filter(|_| self.random.one_in(4))),
                };
                if let Some(path) = path {
                    let _ = write!(
                        mounts,
                        "--mount=type=bind,from=s{from},source={path},target=/m{number} "
                    );
                    command = format!("cat /m{number} /m{number}/*");
                }
            }
            4 | 5 => {
                mounts += *self.random.pick(&[
                    "--mount=type=cache,target=/c ",
                    "--mount=type=cache,target=/c ",
                    "--mount=type=cache,target=/c,id=k ",
                    "--mount=type=cache,target=/c,sharing=locked ",
                ]);
            }
            6 => mounts += "--mount=type=tmpfs,target=/t,size=4096 ",
            7 => mounts += "--mount=type=secret,id=token ",
            8 if self.random.one_in(2) => {
                let _ = write!(
                    mounts,
                    "--mount=type=bind,source=src,target=/m{number} --mount=type=bind,source=conf,target=/n{number} "
                );
                command = format!("cat /m{number}/* /n{number}/*");
            }
            8 => {
                let _ = write!(
                    mounts,
                    "--mount=type=bind,from={},source=/etc,target=/m{number} ",
                    self.base
                );
                command = format!("cat /m{number}/passwd");
            }
            9 | 10 => {
                // The stage's own base: the root becomes an input by content (cache keys 3.1).
                let base = self.stages[index].from.split(' ').nth(1);
                let any = format!("s{}", self.random.below(index.max(1)));
                let base = base.filter(|b| b.starts_with('s') && *b != "scratch");
                let base = base.or((index > 0).then_some(&*any));
                // What a RUN made of the whole of a stage can't be told.
                let made = |b: &&str| {
                    let stage = b[1..].parse().ok().and_then(|n: usize| self.stages.get(n));
                    stage.is_some_and(|s| s.instructions.iter().any(|i| i.text.starts_with("RUN")))
                };
                let base = base.filter(|b| !made(b));
                if let Some(base) = base {
                    let _ = write!(mounts, "--mount=from={base},target=/m{number} ");
                    command = format!("ls /m{number}");
                }
            }
            _ => {}
        }
        let cache = if mounts.contains("cache") {
            "echo x >> /c/log; "
        } else {
            ""
        };
        let token = format!(": h{}r{number}", self.seed);
        let changed = (copied.starts_with("/d") && root && self.random.one_in(7)).then(|| {
            let change = *self.random.pick(&[
                "rm -f @/a.txt",
                "echo more >> @/b.txt",
                "chmod 700 @",
                "mkdir -p @/new",
                "touch @/made",
                "mv @/a.txt @/z.txt 2>/dev/null",
                "cp @/a.txt /o-copy 2>/dev/null",
            ]);
            change.replace('@', &copied)
        });
        let script = match (root, self.random.below(6)) {
            _ if changed.is_some() => {
                format!("{cache}{} ; {token}", changed.unwrap_or_default())
            }
            (false, _) => format!("{cache}{command} > /tmp/{number} 2>/dev/null; {token}"),
            (true, 0) => {
                format!("{cache}mkdir -p /e && {command} > /e/{number} 2>/dev/null; {token}")
            }
            (true, 1) => format!(
                "{cache}mkdir -p /o/{number}; cp -a {copied}/. /o/{number}/ 2>/dev/null; {token}"
            ),
            (true, _) => {
                format!("{cache}mkdir -p /o && {command} > /o/{number} 2>/dev/null; {token}")
            }
        };
        if script.contains(&format!("/o/{number}")) {
            self.stages[index].outputs.push(format!("/o/{number}"));
        }
        let text = match self.random.below(7) {
            0 => format!("RUN {mounts}<<SCRIPT\n{script}\nSCRIPT"),
            6 => {
                format!("RUN {mounts}<<SCRIPT\n#!/bin/sh\n{script}\nSCRIPT")
            }
            1 => format!(
                "RUN {mounts}[\"/bin/sh\", \"-c\", \"{}\"]",
                script.replace('"', "\\\"")
            ),
            2 => format!("RUN {mounts}{}", script.replacen("; :", "; \\\n    :", 1)),
            _ => format!("RUN {mounts}{script}"),
        };
        self.push(index, text, true);
    }

    pub fn write_dockerfile(&mut self, broken: bool) {
        let mut text = String::new();
        if self.random.one_in(3) {
            let _ = writeln!(text, "# note {}", self.counter);
        }
        for stage in &self.stages {
            let _ = writeln!(text, "{}", stage.from);
            for instruction in &stage.instructions {
                let _ = writeln!(text, "{}", instruction.text);
            }
        }
        if broken {
            text += "RUNN this\n";
        }
        let _ = writeln!(
            self.text,
            "write {} <<END-OF-FILE\n{text}END-OF-FILE",
            self.file
        );
    }

    pub fn edit_dockerfile(&mut self) {
        let index = self.random.below(self.stages.len());
        let number = self.number();
        match self.random.below(10) {
            0 => {
                let broken = !self.frozen && self.random.one_in(4);
                return self.write_dockerfile(broken);
            }
            1 => {
                let list = &mut self.stages[index].instructions;
                let at = self.random.below(list.len());
                if at > 0 && list[at].movable && list[at - 1].movable {
                    list.swap(at, at - 1);
                }
            }
            2 => {
                let list = &mut self.stages[index].instructions;
                if let Some(run) = list
                    .iter_mut()
                    .rev()
                    .find(|i| i.text.starts_with("RUN") && i.movable)
                {
                    run.text = run.text.replacen(": h", &format!(": e{number}h"), 1);
                }
            }
            3 => {
                let list = &mut self.stages[index].instructions;
                if let Some(env) = list.iter_mut().find(|i| i.text.starts_with("ENV")) {
                    env.text = env.text.replacen('v', "vv", 1);
                }
            }
            4 => {
                let at = self.random.below(2);
                let line =
                    *self
                        .random
                        .pick(&["LABEL x=y", "ENV H=1", "ARG B=3", "EXPOSE 81", "USER 0"]);
                self.stages[index].instructions.insert(
                    at,
                    Instruction {
                        text: line.to_string(),
                        movable: true,
                    },
                );
            }
            5..=7 => {
                let list = &self.stages[index].instructions;
                let fitting: Vec<(usize, &str, &str)> = EDITS
                    .iter()
                    .flat_map(|(old, new)| {
                        let fits = |i: &Instruction| i.text.contains(old) && !i.text.contains(*new);
                        let found = list.iter().position(|i| fits(i) && i.movable);
                        found.map(|at| (at, *old, *new))
                    })
                    .collect();
                if !fitting.is_empty() {
                    let (at, old, new) = *self.random.pick(&fitting);
                    let text = &mut self.stages[index].instructions[at].text;
                    *text = text.replacen(old, new, 1);
                }
            }
            8 => {
                let list = &mut self.stages[index].instructions;
                let metadata = |text: &str| METADATA.contains(&text) || text.starts_with("LABEL");
                if let Some(at) = list.iter().position(|i| metadata(&i.text)) {
                    list.remove(at);
                }
            }
            _ => self.add_instruction(index),
        }
        self.write_dockerfile(false);
    }
}
