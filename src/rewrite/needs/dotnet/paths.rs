//! Paths in MSBuild files.
//!
//! Goes in: a text with properties. Comes out: a path of the image. Invariant: a property that is not known leaves no
//! path.

use crate::rewrite::needs::join;
use crate::rewrite::needs::shared::parent;

/// Properties that lead out of the project, or to what the build makes.
const SAFE: [&str; 24] = [
    "MSBuildExtensionsPath",
    "MSBuildExtensionsPath32",
    "MSBuildToolsPath",
    "MSBuildBinPath",
    "MSBuildSDKsPath",
    "VSToolsPath",
    "NuGetPackageRoot",
    "OutDir",
    "OutputPath",
    "TargetDir",
    "TargetPath",
    "IntermediateOutputPath",
    "BaseIntermediateOutputPath",
    "BaseOutputPath",
    "PublishDir",
    "PublishUrl",
    "Configuration",
    "TargetFramework",
    "AssemblyName",
    "RootNamespace",
    "MSBuildProjectName",
    "Version",
    "HOME",
    "UserProfile",
];

/// Where a text stands.
pub(super) struct Place<'p> {
    /// The file.
    pub file: &'p str,
    /// The folder of the project that it counts for.
    pub dir: &'p str,
}

impl Place<'_> {
    /// The folder that a path begins with, up to a property that is not known; `None` where it is the first.
    pub(super) fn start(&self, text: &str) -> Option<String> {
        if let Some(place) = self.resolve(text, self.dir) {
            return Some(place);
        }
        let known = [
            "$(MSBuildThisFileDirectory)",
            "$(MSBuildProjectDirectory)",
            "$(ProjectDir)",
        ];
        let skip = known
            .iter()
            .find(|k| text.starts_with(**k))
            .map_or(0, |k| k.len());
        let end = skip + text.get(skip..)?.find(['$', '@', '%'])?;
        let fixed = text.get(..end)?;
        let fixed = fixed
            .rsplit_once(['/', '\\'])
            .map_or(fixed.get(..skip)?, |(f, _)| f);
        match fixed.is_empty() && !text.contains("Configuration") {
            true => None,
            false if fixed.is_empty() => Some(self.dir.to_owned()),
            false => self.resolve(&format!("{fixed}/."), self.dir),
        }
    }

    /// A path relative to a folder; `None` with a property that is not known.
    pub(super) fn resolve(&self, text: &str, base: &str) -> Option<String> {
        let mut text = text.replace('\\', "/");
        let here = format!("{}/", parent(self.file).trim_end_matches('/'));
        let own = format!("{}/", self.dir.trim_end_matches('/'));
        for (property, value) in [
            ("MSBuildThisFileDirectory", &here),
            ("MSBuildProjectDirectory", &own),
            ("ProjectDir", &own),
        ] {
            text = text.replace(&format!("$({property})"), value);
        }
        let plain = !text.contains("$(")
            && !text.contains("@(")
            && !text.contains("%(")
            && !text.is_empty();
        plain.then(|| join(base, &text))
    }
}

/// `GetPathOfFileAbove` and the like: the file's name.
pub(super) fn above(text: &str) -> Result<Option<String>, String> {
    let found = text
        .find("OfFileAbove(")
        .map(|at| &text[at + "OfFileAbove(".len()..]);
    let Some(rest) = found else {
        return Ok(None);
    };
    let words: Vec<&str> = rest
        .split(['\'', ',', ')', '`', '"'])
        .map(str::trim)
        .filter(|w| !w.is_empty())
        .collect();
    // The file is the first of two words or the second, with the folder beside it.
    let file = words
        .iter()
        .find(|w| !w.contains("$(") && w.contains('.') && !w.contains(['/', '\\']));
    let file = file.ok_or_else(|| format!("{text} is not understood"))?;
    Ok(Some((*file).to_owned()))
}

/// Whether a path starts with a property that leads out of the project.
pub(super) fn is_safe(text: &str) -> bool {
    let property = text
        .trim()
        .strip_prefix("$(")
        .and_then(|r| r.split_once(')'))
        .map(|(p, _)| p);
    property.is_some_and(|p| SAFE.contains(&p) || p.starts_with("Pkg")) && !text.contains("..")
}
