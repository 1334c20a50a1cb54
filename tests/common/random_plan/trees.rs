//! The larger commands of random plans: copies, moves, removals, links, permissions, searches, tests.
//!
//! In and out as for [`super::commands`], which chooses among them.

use super::model::{Node, join, parent};
use super::{Generator, VARIABLES};

impl Generator {
    pub fn copy(&mut self) -> Option<String> {
        Some(match self.random.below(6) {
            0 | 1 => {
                let one = self.input()?;
                let (before, target) = self.target();
                if self.led(&one, true) == self.led(&target, true) {
                    return None;
                }
                self.writes(&target, false);
                self.file(&target);
                format!("{before}cp {one} {target}")
            }
            2 => {
                let (one, two) = (self.input()?, self.input()?);
                let (before, folder) = self.folder();
                let text = self.spell(&folder);
                for source in [&one, &two] {
                    let name = source.rsplit('/').next().unwrap_or_default();
                    let target = format!("{text}/{name}");
                    self.writes(&target, false);
                    self.file(&target);
                }
                format!("{before}cp {one} {two} {text}/ 2>/dev/null || true")
            }
            _ => {
                let tree = self.known_folder(false)?;
                let text = self.spell(&tree);
                self.reads(&text, true);
                let flag = self.random.pick(&["-r", "-a", "-R"]).to_string();
                let (before, target) = self.unused();
                let to = self.led(&target, true)?;
                if to.starts_with(&format!("{tree}/")) {
                    return None;
                }
                self.writes(&target, true);
                let open = self.stage.app;
                self.stage.files.copy(&tree, &to, open);
                format!("{before}cp {flag} {text} {target}")
            }
        })
    }

    pub fn rename(&mut self) -> Option<String> {
        let from = match self.random.one_in(3) {
            true => self.known_folder(true)?,
            false => self.writable_file()?,
        };
        let cwd = self.led(&self.dir.clone(), true).unwrap_or_default();
        if from == "/tmp" || from == "/etc" || format!("{cwd}/").starts_with(&format!("{from}/")) {
            return None;
        }
        let text = self.spell(&from);
        let (before, target) = match self.random.one_in(3) {
            true => {
                let (before, folder) = self.folder();
                let name = from.rsplit('/').next().unwrap_or_default().to_string();
                if self.stage.files.is_there(&join(&folder, &name)) {
                    return None;
                }
                let folder = self.spell(&folder);
                (before, format!("{folder}/{name}"))
            }
            false => self.unused(),
        };
        let to = self.led(&target, true)?;
        if to.starts_with(&format!("{from}/")) || to == from || !self.stage.files.is_there(&from) {
            return None;
        }
        self.writes(&text, true);
        self.writes(&target, true);
        let open = self.stage.app;
        self.stage.files.copy(&from, &to, open);
        self.stage.files.remove(&from);
        let shown = match target.rsplit_once('/') {
            // Into a folder by its name alone.
            Some((folder, name)) if from.ends_with(&format!("/{name}")) && !folder.is_empty() => {
                format!("{folder}/")
            }
            _ => target.clone(),
        };
        Some(format!("{before}mv {text} {shown}"))
    }

    pub fn removal(&mut self) -> Option<String> {
        Some(match self.random.below(6) {
            0 | 1 => {
                let file = self.writable_file()?;
                let text = self.spell(&file);
                self.writes_name(&text);
                self.stage.files.remove(&file);
                format!("rm -f {text}")
            }
            2 => {
                // Also what nobody made, or a whole tree.
                let path = self.pool();
                let cwd = self.led(&self.dir.clone(), true).unwrap_or_default();
                if self.stage.app
                    || format!("{cwd}/").starts_with(&format!("{path}/"))
                    || !self.random.one_in(3) && self.stage.files.is_there(&path)
                {
                    return None;
                }
                let text = self.spell(&path);
                self.writes_name(&text);
                let at = self.led(&text, false)?;
                self.stage.files.remove(&at);
                format!("rm -rf {text}")
            }
            3 => {
                let folder = self.known_folder(true)?;
                let text = self.spell(&folder);
                self.reads(&text, true);
                self.writes(&text, true);
                let ending = self.random.pick(&[".txt", ".conf"]).to_string();
                let at = self.led(&text, true)?;
                for path in self.stage.files.below(&at) {
                    if parent(&path) == at && path.ends_with(&ending) {
                        self.stage.files.remove(&path);
                    }
                }
                format!("rm -f {text}/*{ending}")
            }
            4 => {
                let folder = self.known_folder(true)?;
                let text = self.spell(&folder);
                self.reads(&text, true);
                self.writes_name(&text);
                let empty = self.stage.files.below(&folder).is_empty();
                let cwd = self.led(&self.dir.clone(), true).unwrap_or_default();
                if folder == "/tmp" || format!("{cwd}/").starts_with(&format!("{folder}/")) {
                    return None;
                }
                if empty && !self.stage.app {
                    self.stage.files.remove(&folder);
                }
                format!("{{ rmdir {text} 2>/dev/null || true; }}")
            }
            _ => {
                let (before, target) = self.target();
                self.writes_name(&target);
                let at = self.led(&target, false)?;
                let word = self.word();
                self.stage.files.remove(&at);
                format!("{before}echo {word} > {target}; rm -f {target}")
            }
        })
    }

    pub fn link(&mut self) -> Option<String> {
        if self.random.one_in(4) {
            let file = self.writable_file()?;
            let text = self.spell(&file);
            self.reads(&text, false);
            // A second name of a file: what is written to one is in the other.
            self.touch.all = true;
            let (before, target) = self.unused();
            let at = self.led(&target, true)?;
            self.stage.files.0.insert(at, Node::File);
            return Some(format!("{before}ln {text} {target}"));
        }
        let to = match self.random.below(4) {
            0 => self.known_file()?,
            1 => self.pool(),
            _ => self.known_folder(false)?,
        };
        let (before, folder) = self.folder();
        let name = self.random.pick(&["l", "cur", "z"]).to_string();
        let path = match self.random.one_in(3) && !self.stage.app {
            true => format!("/{name}"),
            false => join(&folder, &name),
        };
        if self.stage.files.is_there(&path) {
            return None;
        }
        let text = match self.random.below(4) {
            0 if parent(&path) == parent(&to) => to.rsplit('/').next()?.to_string(),
            1 | 2 => {
                let depth = path.matches('/').count() - 1;
                format!("{}{}", "../".repeat(depth), &to[1..])
            }
            _ => to.clone(),
        };
        if self.led(parent(&path), true)? != parent(&path) || text.is_empty() {
            return None;
        }
        let place = self.spell(&path);
        self.writes_name(&place);
        let at = self.led(&place, false)?;
        self.stage.files.0.insert(at, Node::Link(text.clone()));
        let flag = if self.random.one_in(3) { "-sf" } else { "-s" };
        Some(format!("{before}ln {flag} {text} {place}"))
    }

    pub fn permission(&mut self) -> Option<String> {
        let file = self.writable_file();
        let deep = self.random.one_in(3);
        let path = match deep {
            true => self.known_folder(true)?,
            false => file?,
        };
        if path == "/tmp" || path == "/etc" {
            return None;
        }
        let text = self.spell(&path);
        self.reads(&text, deep);
        self.writes(&text, deep);
        let flag = if deep { "-R " } else { "" };
        if self.random.one_in(2) && !self.stage.app {
            let owner = self
                .random
                .pick(&["app", "1000", "app:app", "0:1000", "root"])
                .to_string();
            if owner.contains("app") {
                self.reads("/etc/passwd", false);
                self.reads("/etc/group", false);
            }
            if deep && owner.starts_with(['a', '1']) {
                let at = self.led(&text, true)?;
                for below in self.stage.files.below(&at).into_iter().chain([at]) {
                    if let Some(Node::Folder { open }) = self.stage.files.0.get_mut(&below) {
                        *open = true;
                    }
                }
            }
            return Some(format!("chown {flag}{owner} {text}"));
        }
        let modes = ["755", "u+x", "a+rX", "0775", "go-w"];
        Some(format!("chmod {flag}{} {text}", self.random.pick(&modes)))
    }

    pub fn search(&mut self) -> Option<String> {
        let folder = self.known_folder(true)?;
        let text = self.spell(&folder);
        self.reads(&text, true);
        Some(match self.random.below(5) {
            0 => {
                self.writes(&text, true);
                let at = self.led(&text, true)?;
                let found = self.stage.files.below(&at);
                for path in found {
                    if path.ends_with(".txt") && self.stage.files.is_file(&path) {
                        self.stage.files.remove(&path);
                    }
                }
                format!("find {text}/ -type f -name '*.txt' -exec rm -f {{}} +")
            }
            1 if !self.stage.app => {
                self.writes(&text, true);
                format!("find {text}/ -type f -exec chmod 640 {{}} +")
            }
            2 => {
                // Who is first where the list is in what is listed is a matter of chance.
                let (before, target) = self.target();
                let at = self.led(&target, true)?;
                let top = self.led(&text, true)?;
                if at.starts_with(&format!("{}/", top.trim_end_matches('/'))) || !before.is_empty()
                {
                    return None;
                }
                self.writes(&target, false);
                self.file(&target);
                format!("find {text}/ -type f | sort > {target}")
            }
            3 => self.out(&format!("find {text} -name 'f'")),
            _ => self.out(&format!("find {text}/ -maxdepth 1 -type l")),
        })
    }

    pub fn conditional(&mut self) -> Option<String> {
        let path = match self.random.one_in(2) {
            true => self.known_file()?,
            false => {
                let folder = self.pool();
                join(&folder, self.name())
            }
        };
        let text = self.spell(&path);
        self.reads(&text, false);
        let saved = self.stage.files.clone();
        let there = self
            .led(&text, true)
            .is_some_and(|p| self.stage.files.is_file(&p));
        let one = self.fragment();
        let then = std::mem::replace(&mut self.stage.files, saved.clone());
        let two = self.fragment();
        let otherwise = std::mem::replace(&mut self.stage.files, saved.clone());
        Some(match self.random.below(4) {
            0 => {
                self.stage.files = if there { then } else { saved };
                format!("{{ [ -f {text} ] && {{ {one}; }} || true; }}")
            }
            1 => {
                self.stage.files = if there { saved } else { otherwise };
                format!("{{ test -f {text} || {{ {two}; }}; }}")
            }
            2 => {
                self.stage.files = if there { then } else { otherwise };
                format!("if [ -f {text} ]; then {one}; else {two}; fi")
            }
            _ => {
                self.stage.files = otherwise;
                format!(
                    "case \"${}\" in a*) {one} ;; *) {two} ;; esac",
                    VARIABLES[0]
                )
            }
        })
    }

    /// Commands after a change of the working directory.
    pub fn movement(&mut self) -> Option<String> {
        let before = self.dir.clone();
        let missing = self.random.one_in(8);
        let folder = match missing {
            true => self.pool(),
            false => self.known_folder(true)?,
        };
        let text = self.spell(&folder);
        let at = self.led(&text, true)?;
        let there = self.stage.files.is_folder(&at);
        self.reads(&text, false);
        if there {
            // A shell keeps the name it was given.
            self.dir = match text.starts_with('/') {
                true => text.clone(),
                false => at,
            };
        }
        let inner = self.fragment();
        self.dir = before;
        Some(match (there, self.random.below(5)) {
            (false, _) => format!("(cd {text} 2>/dev/null; {inner})"),
            (true, 0..=2) => format!("(cd {text} && {inner})"),
            (true, 3) => format!("(cd {text}; {inner})"),
            (true, _) => format!("(set -e; cd {text}; {inner})"),
        })
    }
}
