//! dotnet: NuGet's packages.

use super::{Caller, Kept, downloads, join};

/// `~/.nuget/packages`, NUGET_PACKAGES or `--packages`.
pub(super) fn dotnet(call: &Caller<'_>) -> Option<Result<Kept, String>> {
    let fetches = matches!(
        call.command(),
        "restore" | "build" | "publish" | "test" | "pack" | "run"
    );
    let tools = call.command() == "tool" && call.operands().nth(1) == Some("restore");
    (fetches || tools).then(|| {
        if tools {
            return Err("tools of the project run from the folder of packages".to_owned());
        }
        if call.has(&["--no-restore", "--no-build"]) {
            return Err(format!(
                "{} takes what an earlier step fetched, and a cache mount may be empty",
                call.off(&["--no-restore", "--no-build"]).join(" ")
            ));
        }
        call.unset(&["RestorePackagesPath"])?;
        for name in ["nuget.config", "NuGet.config", "NuGet.Config"] {
            call.says_nothing_of(name, &["globalPackagesFolder"])?;
        }
        for name in ["Directory.Build.props", "Directory.Packages.props"] {
            call.says_nothing_of(name, &["RestorePackagesPath"])?;
        }
        let said = call.option(&["--packages"])?;
        let folder = match said {
            Some(folder) => call.place(&folder)?,
            None => match call.folder_of(&["NUGET_PACKAGES"])? {
                Some(folder) => folder,
                None => join(&call.home()?, ".nuget/packages"),
            },
        };
        Ok(Kept {
            tool: "dotnet",
            folders: vec![downloads(folder)],
            // NuGet's locks lie in /tmp.
            locked: true,
            later: true,
            ..Kept::default()
        })
    })
}
