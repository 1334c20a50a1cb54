//! Places that are named, and what is read for them.
//!
//! Goes in: a path as it is written, and the folder it is meant from. Comes out: files and folders in [`Scan`]. Invariant: a
//! path that is not there takes what it may be short for, or the package that makes it.

use super::super::{above, inside, join, shared};
use super::facts::is_bare;
use super::names::{before_star, is_looked_for, is_paper, is_settings};
use super::scan::Scan;
use crate::footprint::PathClaim;
use std::collections::BTreeSet;

impl Scan<'_> {
    /// A path with `..`; the folder that it means, if packages lie in that and nothing more is said.
    pub(super) fn climb(&mut self, base: &str, climb: &str) -> Result<Option<String>, String> {
        if climb.contains("node_modules") {
            return Ok(None);
        }
        let star = climb.contains(['*', '{', '$']);
        let fixed = climb.split(['*', '{', '$']).next().unwrap_or_default();
        let fixed = match star && !fixed.ends_with('/') {
            true => fixed.rsplit_once('/').map_or("..", |(d, _)| d),
            false => fixed,
        };
        let place = join(base, fixed);
        let holds = self
            .units
            .iter()
            .any(|u| *u != place && shared::is_in(u, &place));
        if holds && (is_bare(climb) || (!climb.contains('*') && star)) {
            return Ok(Some(place).filter(|p| !self.is_read(p)));
        }
        self.place(&place, climb.contains('*'))?;
        Ok(None)
    }

    /// A path that is meant from some folder.
    pub(super) fn word(&mut self, level: &str, word: &str) -> Result<(), String> {
        let fixed = before_star(word);
        if word.starts_with('/') || fixed.is_empty() || word.contains("node_modules") {
            return Ok(());
        }
        let place = join(level, fixed);
        match self.exists(&place) && place != *level {
            true => self.place(&place, word.contains('*')),
            false => Ok(()),
        }
    }

    /// A place outside of what is read: the file, the folder, or what it may be short for.
    pub(super) fn place(&mut self, place: &str, star: bool) -> Result<(), String> {
        if self.is_read(place) || place == "/" && !star {
            return Ok(());
        }
        if self.is_file(place) {
            self.file(place);
            return Ok(());
        }
        if !self.below(place).is_empty() {
            // A whole package brings along what it asks for.
            if let Some(at) = self.ws.at(place).filter(|at| *at != 0) {
                return self.take([at]);
            }
            let within: Vec<usize> = (1..self.ws.packages.len())
                .filter(|p| shared::is_in(&self.ws.packages[*p].dir, place))
                .collect();
            self.folder(place.to_owned());
            return self.take(within);
        }
        // `../lib/x` for `../lib/x.ts`.
        let folder = shared::parent(place).to_owned();
        let start = format!("{place}.");
        let from = self.all.partition_point(|p| **p < *start);
        let short: Vec<String> = self.all[from..]
            .iter()
            .take_while(|p| p.starts_with(&start))
            .cloned()
            .collect();
        if !short.is_empty() {
            short
                .iter()
                .filter(|p| shared::parent(p) == folder)
                .for_each(|p| self.file(p));
            return Ok(());
        }
        // What is made there belongs to whoever makes it.
        match self
            .ws
            .around(&folder)
            .filter(|at| *at != 0 && shared::is_in(place, self.ws.top()))
        {
            Some(at) => self.take([at]),
            None => Ok(()),
        }
    }

    /// A package that is imported by its name.
    pub(super) fn package(&mut self, name: &str) -> Result<(), String> {
        let mut parts = name.splitn(3, '/');
        let first = parts.next().unwrap_or_default();
        let name = match (first.starts_with('@'), parts.next()) {
            (true, Some(second)) => format!("{first}/{second}"),
            _ => first.to_owned(),
        };
        match self.ws.named(&name).filter(|at| *at != 0) {
            Some(at) => self.take([at]),
            None => Ok(()),
        }
    }

    /// Files of the folders that packages lie in, in which tools look for settings.
    pub(super) fn beside(&self) -> Result<BTreeSet<String>, String> {
        let top = self.ws.top();
        let mut out = BTreeSet::new();
        let mut folders: BTreeSet<&str> = self.units.iter().flat_map(|u| above(u)).collect();
        folders.extend(std::iter::once(top).chain(above(top)));
        for path in &self.all {
            let folder = shared::parent(path);
            if !folders.contains(folder) {
                continue;
            }
            let name = shared::name(path);
            let inner = shared::is_in(folder, top);
            // Where a link leads is read by its own name.
            if self.project.is_link(path) {
                continue;
            }
            if (inner && !is_paper(name)) || is_settings(path) || is_looked_for(name) {
                out.insert(path.clone());
            }
        }
        Ok(out)
    }

    /// Folders all of whose files are read, in the place of what is in them.
    pub(super) fn whole_folders(&mut self) {
        let top = self.ws.top().to_owned();
        let above_units: BTreeSet<String> = self
            .units
            .iter()
            .flat_map(|u| above(u))
            .filter(|d| inside(d, &top).is_some_and(|r| !r.is_empty()))
            .map(str::to_owned)
            .collect();
        for folder in above_units {
            let direct = |p: &String| shared::parent(p) == folder;
            let all_read = self
                .below(&folder)
                .iter()
                .all(|p| self.is_read(p) || direct(p));
            if all_read && !self.units.contains(&folder) {
                self.units.retain(|u| !shared::is_in(u, &folder));
                self.units.insert(folder);
            }
        }
    }

    /// The claims.
    pub(super) fn claims(&self) -> BTreeSet<PathClaim> {
        let units = self.units.iter().map(PathClaim::subtree);
        units
            .chain(self.files.iter().map(PathClaim::exact))
            .collect()
    }
}
