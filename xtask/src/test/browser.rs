//! The incident document in a real browser: what it shows, what it asks for, how it looks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use crate::tally::Tally;
use crate::{command, step, workspace};

/// Names under which a browser of this kind is installed.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/// Longest run, in seconds: far more than one takes on a busy machine.
const DEADLINE_S: &str = "120";

/// The golden pages of the program's own tests, and what has to be on them.
const PAGES: [(&str, &[&str]); 2] = [
    (
        "page.html",
        &[
            "<h1>api[4711] certainly leaks 23&nbsp;connections to",
            "What to do next",
            "Connections of finding 1",
            "What could not be seen",
            "tracer report night.rec",
        ],
    ),
    ("hostile.html", &["<h1>&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;"]),
];

/// What none of them may have become part of.
const HARMFUL: [&str; 3] = ["<script", "<img", "onerror=\"a()\">"];

/// Added to a page, this has to be noticed: it asks for something and runs something.
const CONTROL: &str =
    r#"<img src="http://192.0.2.1/x.png"><script>document.title = "it ran"</script></main>"#;

/// How a page is looked at: the name of the picture, its size, more arguments.
const LOOKS: [(&str, &str, &[&str]); 4] = [
    ("light", "1280,900", &[]),
    ("dark", "1280,900", &[DARK]),
    ("small", SMALL, &[]),
    ("small-dark", SMALL, &[DARK]),
];

/// Preferred by the reader.
const DARK: &str = "--blink-settings=preferredColorScheme=0";
/// The narrowest window that the browser has.
const SMALL: &str = "500,900";

/// Checks every page, or says why it cannot.
///
/// # Errors
/// If the workspace's build directory cannot be told, or cannot be written to.
pub(super) fn run() -> Result<Tally> {
    let Some(program) = BROWSERS.iter().find_map(|name| command::find(name)) else {
        return Ok(step::skipped("no browser; `apt-get install chromium` installs one"));
    };
    let directory = workspace::target()?.join("browser");
    fs::create_dir_all(&directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    let browser = Browser { program, directory };
    let mut tally = Tally::default();
    for (name, texts) in PAGES {
        println!("{name}: shows what it has to, and asks for nothing");
        tally += step::checked(browser.check(name, texts));
    }
    println!("a page that asks for something is noticed");
    tally += step::checked(browser.control());
    println!("pictures and paper, in {}", browser.directory.display());
    tally += step::checked(browser.pictures());
    Ok(tally)
}

struct Browser {
    program: PathBuf,
    /// For its profile, pages and pictures.
    directory: PathBuf,
}

/// What became of a page.
struct Shown {
    /// The document as the browser understood it.
    document: String,
    /// What it had to complain of.
    complaints: Vec<String>,
}

impl Browser {
    fn check(&self, name: &str, texts: &[&str]) -> Result<()> {
        let shown = self.show(&golden(name))?;
        if let Some(complaint) = shown.complaints.first() {
            bail!("the browser complains: {complaint}");
        }
        for text in texts {
            ensure!(shown.document.contains(text), "{text:?} is not on the page");
        }
        for text in HARMFUL {
            ensure!(!shown.document.contains(text), "{text:?} is part of the page");
        }
        Ok(())
    }

    /// The page's own policy keeps it from what it is not to do, and the check sees it try.
    fn control(&self) -> Result<()> {
        let page = fs::read_to_string(golden("page.html")).context("no golden page")?;
        let path = self.directory.join("control.html");
        fs::write(&path, page.replace("</main>", CONTROL)).context("cannot write")?;
        let shown = self.show(&path)?;
        ensure!(shown.complaints.len() == 2, "complaints: {:?}", shown.complaints);
        ensure!(!shown.document.contains("<title>it ran"), "a script was run");
        Ok(())
    }

    fn pictures(&self) -> Result<()> {
        for (name, size, arguments) in LOOKS {
            let path = self.directory.join(format!("{name}.png"));
            let picture = format!("--screenshot={}", path.display());
            let size = format!("--window-size={size}");
            let mut command = self.command(&golden("page.html"));
            command.args(["--hide-scrollbars", &picture, &size]).args(arguments);
            output(&mut command)?;
            is_begun_with(&path, b"\x89PNG")?;
        }
        let path = self.directory.join("paper.pdf");
        let mut command = self.command(&golden("page.html"));
        output(command.arg(format!("--print-to-pdf={}", path.display())))?;
        is_begun_with(&path, b"%PDF")
    }

    fn show(&self, page: &Path) -> Result<Shown> {
        let mut command = self.command(page);
        let (document, log) = output(command.args(["--dump-dom", "--enable-logging=stderr"]))?;
        let complaints = log.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned);
        Ok(Shown { document, complaints: complaints.collect() })
    }

    /// Without a network: whatever is asked for is not there, which the browser complains of.
    fn command(&self, page: &Path) -> Command {
        let mut command = Command::new("timeout");
        command.arg(DEADLINE_S).arg(&self.program);
        // Its sandbox does not work for root, nor in most containers; the pages are our own.
        command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]);
        command.args(["--disable-background-networking", "--disable-component-update"]);
        command.args(["--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND"]);
        command.arg("--proxy-server=127.0.0.1:9");
        command.arg(format!("--user-data-dir={}", self.directory.join("profile").display()));
        command.arg(format!("file://{}", page.display()));
        command
    }
}

fn golden(name: &str) -> PathBuf {
    workspace::root().join("tracer/src/output/html/tests").join(name)
}

/// What a command writes to its standard output and to its standard error.
fn output(command: &mut Command) -> Result<(String, String)> {
    let run = command.stdin(Stdio::null()).output();
    let output = run.with_context(|| format!("cannot start `{}`", command::describe(command)))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if !output.status.success() {
        let errors = text(&output.stderr);
        let last = errors.lines().last().unwrap_or_default();
        bail!("`{}` failed ({}): {last}", command::describe(command), output.status);
    }
    Ok((text(&output.stdout), text(&output.stderr)))
}

fn is_begun_with(path: &Path, start: &[u8]) -> Result<()> {
    let bytes = fs::read(path).with_context(|| format!("no {}", path.display()))?;
    ensure!(bytes.starts_with(start), "{} is something else", path.display());
    Ok(())
}
