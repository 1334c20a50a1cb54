use super::super::shown;

fn reads(line: &str, files: &[(&str, &str)]) -> String {
    let text = shown(line, "/app", files);
    text.split(" | ").next().unwrap_or("").to_owned()
}

#[test]
fn dependencies_need_the_scripts() {
    let files = [
        ("/app/settings.gradle", "include 'web', ':lib:core'\n"),
        (
            "/app/build.gradle",
            "plugins { id 'java' }\nrepositories { maven { url 'https://x/git.y' } }",
        ),
        (
            "/app/web/build.gradle.kts",
            "dependencies { implementation(files(\"libs/x.jar\")) }",
        ),
        ("/app/lib/core/build.gradle", "// exec {\n"),
        ("/app/gradle/libs.versions.toml", ""),
        ("/app/gradle.properties", ""),
        ("/app/web/src/A.java", ""),
    ];
    assert_eq!(
        reads("gradle --no-daemon dependencies -Px=1", &files),
        "/app/build.gradle /app/buildSrc/** /app/gradle/** /app/gradle.properties /app/lib/core/build.gradle \
         /app/libs/x.jar/** /app/settings.gradle /app/settings.gradle.kts /app/web/build.gradle.kts \
         /app/web/libs/x.jar/** /settings.gradle /settings.gradle.kts"
    );
    assert_eq!(
        reads("gradle -p /app :web:dependencies", &files),
        reads("gradle dependencies", &files)
    );
    assert!(shown("gradle dependencies", "/app", &files).contains("/app/web/build/**"));
}

#[test]
fn readers_and_builds_are_left_alone() {
    for text in [
        "version = file('VERSION').text",
        "version = 'git describe'.execute()",
        "includeBuild('x')",
        "apply from: \"$rootDir/x.gradle\"",
    ] {
        let files = [("/app/build.gradle", text), ("/app/settings.gradle", text)];
        assert!(
            shown("gradle dependencies", "/app", &files).starts_with('('),
            "{text}"
        );
    }
    let files = [
        ("/app/build.gradle", ""),
        ("/app/settings.gradle", "include('gone')"),
    ];
    assert!(shown("gradle dependencies", "/app", &files).starts_with('('));
    for line in [
        "gradle build",
        "gradle bootJar dependencies",
        "gradle",
        "gradle -I x dependencies",
    ] {
        assert!(shown(line, "/app", &files[..1]).starts_with('('), "{line}");
    }
}
