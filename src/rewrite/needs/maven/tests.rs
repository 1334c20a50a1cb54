use super::super::shown;

const ROOT: &str = "<project><artifactId>root</artifactId><modules><module>web</module><module>core</module>\
                    <module>other</module></modules></project>";

fn module(id: &str, inner: &str) -> String {
    format!(
        "<project xmlns='http://maven.apache.org/POM/4.0.0'><parent><artifactId>root</artifactId></parent><artifactId>{id}</artifactId>{inner}</project>"
    )
}

fn files(web: &str) -> Vec<(&'static str, String)> {
    vec![
        ("/app/pom.xml", ROOT.to_owned()),
        ("/app/README.md", String::new()),
        ("/app/config/checkstyle.xml", String::new()),
        ("/app/web/pom.xml", module("web", web)),
        ("/app/web/src/A.java", String::new()),
        ("/app/core/pom.xml", module("core", "")),
        ("/app/core/src/B.java", String::new()),
        ("/app/other/pom.xml", module("other", "")),
        ("/app/other/src/C.java", String::new()),
    ]
}

/// Without `.mvn` in all folders above.
fn of(line: &str, files: &[(&'static str, String)]) -> String {
    let plain: Vec<(&str, &str)> = files.iter().map(|(p, t)| (*p, t.as_str())).collect();
    let text = shown(line, "/app", &plain);
    text.split(' ')
        .filter(|w| !w.ends_with(".mvn/**") && !w.ends_with("/profiles.xml"))
        .collect::<Vec<_>>()
        .join(" ")
}

const POMS: &str = "/app/core/pom.xml /app/other/pom.xml /app/pom.xml /app/web/pom.xml";
const CORE: &str =
    "<dependencies><dependency><artifactId>core</artifactId></dependency></dependencies>";

#[test]
fn a_download_reads_all_poms() {
    assert_eq!(
        of("mvn -B dependency:go-offline", &files("")),
        format!("{POMS} | ")
    );
    assert_eq!(
        of(
            "mvn -s my.xml -f pom.xml dependency:resolve -P x",
            &files("")
        ),
        "/app/core/pom.xml /app/my.xml /app/other/pom.xml /app/pom.xml /app/web/pom.xml | "
    );
    let single = [(
        "/app/pom.xml",
        "<project><artifactId>a</artifactId><parent><artifactId>p</artifactId></parent></project>"
            .to_owned(),
    )];
    assert_eq!(
        of("mvn dependency:copy-dependencies", &single),
        "/app/pom.xml /pom.xml | /app/target/**"
    );
    let profile = "<profiles><profile><activation><file><exists>${basedir}/x.flag</exists></file></activation></profile></profiles>";
    assert!(of("mvn dependency:go-offline", &files(profile)).contains("/app/web/x.flag"));
}

#[test]
fn a_build_reads_the_modules_it_takes_in() {
    let reads = "/app/config/** /app/core/** /app/other/pom.xml /app/pom.xml /app/web/**";
    let writes = "/app/.flattened-pom.xml /app/core/.flattened-pom.xml /app/core/dependency-reduced-pom.xml \
                  /app/core/target/** /app/dependency-reduced-pom.xml /app/target/** /app/web/.flattened-pom.xml \
                  /app/web/dependency-reduced-pom.xml /app/web/target/**";
    assert_eq!(
        of("mvn package -DskipTests -pl web -am", &files(CORE)),
        format!("{reads} | {writes}")
    );
    assert_eq!(
        of("mvn -pl :web package -DskipTests", &files(CORE)),
        format!("{reads} | {writes}")
    );
    let all = of("mvn clean package -DskipTests", &files(""));
    assert!(
        all.starts_with("/app/config/** /app/core/** /app/other/** /app/pom.xml /app/web/** | "),
        "{all}"
    );
}

#[test]
fn files_above_a_module_are_read() {
    let web = "<build><plugins><plugin><configuration><x>${basedir}/../README.md</x></configuration></plugin></plugins></build>";
    assert!(of("mvn compile -pl web", &files(web)).contains("/app/README.md"));
}

#[test]
fn what_is_not_understood_is_left_alone() {
    for line in [
        "mvn package",
        "mvn deploy -DskipTests",
        "mvn spring-boot:run",
        "mvn compile -pl !web",
        "mvn compile -pl gone",
        "mvn --frob compile",
        "mvn",
        "mvn -Dx=/y compile",
    ] {
        assert!(of(line, &files("")).starts_with('('), "{line}");
    }
    for inner in [
        "<build><plugins><plugin><artifactId>git-commit-id-maven-plugin</artifactId></plugin></plugins></build>",
        "<build><plugins><plugin><configuration><x>${project.basedir}/../</x></configuration></plugin></plugins></build>",
        "<dependencies><dependency><artifactId>${x}</artifactId></dependency></dependencies>",
    ] {
        assert!(of("mvn compile", &files(inner)).starts_with('('), "{inner}");
        assert!(
            !of("mvn dependency:go-offline", &files(inner)).starts_with('('),
            "{inner}"
        );
    }
    let runs = "<build><plugins><plugin><artifactId>exec-maven-plugin</artifactId></plugin></plugins></build>";
    let profile = format!("<profiles><profile><id>x</id>{runs}</profile></profiles>");
    assert!(!of("mvn compile", &files(&profile)).starts_with('('));
    assert!(of("mvn compile -P y,x", &files(&profile)).starts_with('('));
    for inner in [
        "<modules><module>${x}</module></modules>",
        "<modules><module>gone</module></modules>",
        "<broken>",
    ] {
        assert!(
            of("mvn dependency:go-offline", &files(inner)).starts_with('('),
            "{inner}"
        );
    }
    let mut extended = files("");
    extended.push(("/app/.mvn/extensions.xml", "<extensions><extension><artifactId>jgitver-maven-plugin</artifactId></extension></extensions>".to_owned()));
    assert!(of("mvn compile", &extended).starts_with('('));
}
