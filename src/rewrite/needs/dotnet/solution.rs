//! Solutions, in the old form, as XML, and parts of them.
//!
//! Goes in: the path of one. Comes out: the projects it names. Invariant: a line that names a project and is not
//! understood is a reason.

use super::msbuild::{Graph, ends_with, parse, settings};
use crate::footprint::PathClaim;
use crate::rewrite::needs::shared::{exact, name, parent, read_upwards, upwards};
use crate::rewrite::needs::{Needs, join, text};

impl Graph<'_> {
    /// Queues the projects of a solution.
    pub(super) fn solution(&mut self, path: &str, needs: &mut Needs) -> Result<(), String> {
        let text = text(self.project, path)?;
        let dir = parent(path);
        needs.reads.insert(PathClaim::exact(path));
        settings(dir, needs);
        read_upwards(
            &mut needs.reads,
            dir,
            &["Directory.Solution.props", "Directory.Solution.targets"],
        );
        for side in ["before", "after"] {
            needs
                .reads
                .insert(exact(dir, &format!("{side}.{}.targets", name(path))));
        }
        if upwards(dir)
            .iter()
            .any(|d| self.project.is_file(&join(d, "Directory.Solution.props")))
        {
            return Err(format!("{path} has properties of its own"));
        }
        let found: Vec<String> = if ends_with(path, ".slnx") {
            let document = parse(path, &text)?;
            let projects = document.descendants().filter(|n| n.has_tag_name("Project"));
            projects
                .filter_map(|n| n.attribute("Path"))
                .map(str::to_owned)
                .collect()
        } else if ends_with(path, ".slnf") {
            return self.filter(path, &text, needs);
        } else {
            let lines = text
                .lines()
                .filter(|l| l.trim_start().starts_with("Project("));
            let named = lines.map(|l| {
                l.split('"')
                    .nth(5)
                    .ok_or_else(|| format!("{path} is not understood"))
            });
            let named: Vec<&str> = named.collect::<Result<_, _>>()?;
            named
                .into_iter()
                .filter(|p| p.ends_with("proj"))
                .map(str::to_owned)
                .collect()
        };
        self.queue
            .extend(found.iter().map(|p| join(dir, &p.replace('\\', "/"))));
        Ok(())
    }

    /// A part of a solution.
    fn filter(&mut self, path: &str, text: &str, needs: &mut Needs) -> Result<(), String> {
        let json: serde_json::Value =
            serde_json::from_str(text).map_err(|e| format!("{path}: {e}"))?;
        let solution = json
            .get("solution")
            .and_then(|s| s.get("path"))
            .and_then(|p| p.as_str());
        let solution = solution.ok_or_else(|| format!("{path} is not understood"))?;
        // All of it is more than what is asked for.
        self.solution(&join(parent(path), &solution.replace('\\', "/")), needs)
    }
}
