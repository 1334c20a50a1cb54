use super::super::shown;

const WEB: &str = r#"<Project Sdk="Microsoft.NET.Sdk.Web"><ItemGroup>
    <ProjectReference Include="..\Lib\Lib.csproj" /></ItemGroup>
    <Import Project="$(MSBuildThisFileDirectory)../common.props" Condition="Exists('x.json')" /></Project>"#;
const LIB: &str = r#"<Project Sdk="Microsoft.NET.Sdk"><ItemGroup><Compile Include="../shared/**/*.cs" />
    <PackageReference Include="Dapper" Version="2.0.0" /></ItemGroup></Project>"#;
const SLN: &str = "\u{feff}\nMicrosoft Visual Studio Solution File\nProject(\"{9A}\") = \"Web\", \"Web\\Web.csproj\", \"{1}\"\n\
                   EndProject\nProject(\"{2}\") = \"docs\", \"docs\", \"{3}\"\nEndProject\n";

fn files() -> Vec<(&'static str, &'static str)> {
    vec![
        ("/src/All.sln", SLN),
        ("/src/Web/Web.csproj", WEB),
        ("/src/Web/Program.cs", ""),
        ("/src/common.props", "<Project/>"),
        ("/src/Lib/Lib.csproj", LIB),
        ("/src/shared/a.cs", ""),
        (
            "/src/Directory.Build.props",
            "<Project><PropertyGroup><A>1</A></PropertyGroup></Project>",
        ),
        (
            "/src/NuGet.config",
            "<configuration><packageSources><clear/><add key='l' value='.\\pkg'/></packageSources></configuration>",
        ),
        ("/src/README.md", ""),
    ]
}

/// Only what is there, and the writes.
fn short(line: &str, dir: &str, files: &[(&str, &str)]) -> String {
    let text = shown(line, dir, files);
    let there = |w: &str| {
        let bare = w.trim_end_matches("/**");
        w == "|"
            || files
                .iter()
                .any(|(f, _)| *f == bare || f.starts_with(&format!("{bare}/")))
    };
    let (reads, writes) = text.split_once(" | ").unwrap_or((&text, ""));
    let reads: Vec<&str> = reads
        .split(' ')
        .filter(|w| there(w) || reads.starts_with('('))
        .collect();
    format!("{} | {writes}", reads.join(" "))
}

#[test]
fn a_restore_reads_what_msbuild_reads() {
    let two = "/src/Directory.Build.props /src/Lib/Lib.csproj /src/NuGet.config /src/Web/Web.csproj /src/common.props";
    let writes =
        "/src/Lib/obj/** /src/Lib/packages.lock.json /src/Web/obj/** /src/Web/packages.lock.json";
    assert_eq!(
        short("dotnet restore Web/Web.csproj", "/src", &files()),
        format!("{two} | {writes}")
    );
    assert_eq!(
        short("dotnet restore", "/src/Web", &files()),
        format!("{two} | {writes}")
    );
    let all = format!("/src/All.sln {two} | {writes}");
    assert_eq!(
        short("dotnet restore -r linux-x64 /p:X=1", "/src", &files()),
        all
    );
    let text = shown("dotnet restore", "/src/Web", &files());
    for looked in [
        "/src/global.json",
        "/Directory.Packages.props",
        "/src/Web/x.json",
        "/src/pkg/**",
    ] {
        assert!(text.contains(looked), "{looked}");
    }
    assert!(
        shown("dotnet tool restore", "/src", &files()).contains("/src/.config/dotnet-tools.json")
    );
}

#[test]
fn a_build_reads_the_projects() {
    assert_eq!(
        short(
            "dotnet publish Web -c Release -o /out --no-restore",
            "/src",
            &files()
        ),
        "/src/Directory.Build.props /src/Lib/** /src/NuGet.config /src/Web/** /src/common.props /src/shared/** | \
         /out/** /src/Lib/bin/** /src/Lib/obj/** /src/Lib/packages.lock.json /src/Web/bin/** /src/Web/obj/** \
         /src/Web/packages.lock.json"
    );
}

#[test]
fn solutions_come_in_other_forms() {
    let xml = "<Solution><Folder Name='/a/'><Project Path='Web/Web.csproj'/></Folder></Solution>";
    let mut all = files();
    all[0] = ("/src/All.slnx", xml);
    assert!(
        short("dotnet restore All.slnx", "/src", &all)
            .starts_with("/src/All.slnx /src/Directory.Build.props")
    );
    all.push((
        "/src/part.slnf",
        r#"{"solution":{"path":"All.slnx","projects":[]}}"#,
    ));
    assert!(short("dotnet restore part.slnf", "/src", &all).contains("/src/Lib/Lib.csproj"));
}

#[test]
fn outputs_may_lie_elsewhere() {
    let writes = |inner: &str| {
        let text = format!("<Project><PropertyGroup>{inner}</PropertyGroup></Project>");
        let files = [
            ("/src/a/a.csproj", "<Project/>"),
            ("/src/Directory.Build.props", text.as_str()),
        ];
        shown("dotnet build", "/src/a", &files)
            .split(" | ")
            .nth(1)
            .unwrap_or("")
            .to_owned()
    };
    assert!(writes("<UseArtifactsOutput>true</UseArtifactsOutput>").contains("/src/artifacts/**"));
    assert!(writes("<OutputPath>../out\\$(Configuration)/</OutputPath>").contains("/src/out/**"));
    assert!(
        writes("<OutputPath>$(MSBuildThisFileDirectory)out/$(X)</OutputPath>")
            .contains("/src/out/**")
    );
    assert!(writes("<OutputPath>$(MSBuildThisFileDirectory)$(X)</OutputPath>").contains("/src/**"));
    assert!(writes("<OutputPath>$(Configuration)</OutputPath>").contains("/src/a/**"));
}

#[test]
fn files_above_are_found() {
    let mut all = files();
    all[6].1 = "<Project><Import Project=\"$([MSBuild]::GetPathOfFileAbove('Directory.Build.props', '$(MSBuildThisFileDirectory)../'))\" /></Project>";
    all.push(("/Directory.Build.props", "<Project/>"));
    let text = short("dotnet restore", "/src/Web", &all);
    assert!(text.starts_with("/Directory.Build.props /src/"), "{text}");
}

#[test]
fn what_is_not_understood_is_left_alone() {
    for line in [
        "dotnet test",
        "dotnet run",
        "dotnet restore Nope",
        "dotnet build -o /src",
        "dotnet restore -p:OutDir=x",
        "dotnet ef x",
    ] {
        assert!(shown(line, "/src", &files()).starts_with('('), "{line}");
    }
    for inner in [
        "<Import Project=\"$(Root)x.props\" />",
        "<ItemGroup><ProjectReference Include=\"$(Root)x.csproj\" /></ItemGroup>",
        "<ItemGroup><ProjectReference Include=\"../Gone/Gone.csproj\" /></ItemGroup>",
        "<PropertyGroup><BaseIntermediateOutputPath>$(X)/x</BaseIntermediateOutputPath></PropertyGroup>",
        "<PropertyGroup><V>$([System.IO.File]::ReadAllText('v'))</V></PropertyGroup>",
        "<Target Name=\"x\" BeforeTargets=\"Restore\" />",
        "<PropertyGroup Condition=\"Exists('$(Some)/x')\" />",
        "<broken>",
    ] {
        let text = format!("<Project>{inner}</Project>");
        let files = [("/src/a.csproj", text.as_str())];
        assert!(
            shown("dotnet restore", "/src", &files).starts_with('('),
            "{inner}"
        );
    }
    for inner in [
        "<Target Name=\"x\"><Exec Command=\"npm ci\" /></Target>",
        "<ItemGroup><PackageReference Include=\"MinVer\" /></ItemGroup>",
        "<ItemGroup><None Include=\"$(SolutionDir)/x.json\" /></ItemGroup>",
        "<ItemGroup><None Include=\"../**\" /></ItemGroup>",
    ] {
        let text = format!("<Project>{inner}</Project>");
        let files = [("/src/a/a.csproj", text.as_str()), ("/src/b/b.cs", "")];
        assert!(
            shown("dotnet build", "/src/a", &files).starts_with('('),
            "{inner}"
        );
        assert!(
            !shown("dotnet restore", "/src/a", &files).starts_with('('),
            "{inner}"
        );
    }
}
