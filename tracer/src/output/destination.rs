//! Writes reports to the terminal, to standard output and to the CSV file.

use std::{borrow::Cow, io};

use anyhow::Result;
use tracer_core::{Change, Note, Report};

use super::{
    Context,
    csv::{self, CsvFile},
    finding_events::FindingEvents,
    json,
    options::{OutputFormat, OutputOptions},
    standard_output::{Shown, StandardOutput, style},
    table::{self, Printed, Style},
    terminal,
};

/// The outputs of a run.
pub(crate) struct Destination {
    output: StandardOutput,
    options: OutputOptions,
    context: Context,
    csv: Option<CsvFile>,
    /// Why CSV export stopped. The run continues without it and fails at the end.
    csv_error: Option<anyhow::Error>,
    /// Rows for standard output.
    pending_rows: Vec<u8>,
    finding_events: FindingEvents,
    /// Lines of finding events so far.
    lines: u64,
    is_terminal: bool,
    /// Whether the live page is on the alternate screen.
    entered: bool,
    /// What the last report said that was appended by a live run.
    appended: Option<Printed>,
}

impl Destination {
    /// Opens the CSV file, so that a path that cannot be written is reported before anything else.
    ///
    /// # Errors
    /// The CSV file cannot be used.
    pub(crate) fn open(
        options: OutputOptions,
        context: Context,
        output: StandardOutput,
    ) -> Result<Self> {
        let csv = options.csv.as_deref().map(CsvFile::create).transpose()?;
        let destination = Self {
            is_terminal: output.is_terminal(),
            output,
            options,
            context,
            csv,
            csv_error: None,
            pending_rows: Vec::new(),
            finding_events: FindingEvents::default(),
            lines: 0,
            entered: false,
            appended: None,
        };
        if destination.options.format == OutputFormat::Csv {
            destination.output.write(csv::HEADER.as_bytes())?;
        }
        Ok(destination)
    }

    /// Appends rows for the changes to the CSV file, if there is one. The first failure ends the
    /// export, not the run.
    pub(crate) fn keep(&mut self, report: &Report, changes: &[Change]) {
        let coverage = &report.coverage;
        let rows = |context: &Context| {
            changes.iter().map(|change| csv::change(change, coverage, context)).collect()
        };
        self.keep_rows(rows);
    }

    /// Creates rows, if an output needs them, for the CSV file and standard output.
    fn keep_rows(&mut self, make: impl FnOnce(&Context) -> io::Result<Vec<Vec<u8>>>) {
        let is_shown = self.options.format == OutputFormat::Csv;
        if self.csv.is_none() && !is_shown {
            return;
        }
        match make(&self.context) {
            Ok(rows) => {
                self.append(&rows);
                if is_shown {
                    self.pending_rows.extend(rows.iter().flatten());
                }
            }
            Err(error) => self.csv_error = Some(error.into()),
        }
    }

    /// Shows the report, if the format is one that is shown during a run.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn show(&mut self, report: &Report) -> Result<Shown> {
        if !self.is_terminal && self.output.is_closed() {
            return Ok(Shown::NoReader);
        }
        match self.options.format {
            OutputFormat::Csv => self.output.write(&std::mem::take(&mut self.pending_rows)),
            _ if self.options.only_at_the_end => Ok(Shown::Yes),
            OutputFormat::Json => self.output.write_line(&json::line(report, &self.context)?),
            OutputFormat::JsonLines => self.emit(report, false),
            OutputFormat::Table => self.page(report),
        }
    }

    /// Whether the output needs every report of a replay, not only the last one.
    pub(crate) const fn follows_replay(&self) -> bool {
        matches!(self.options.format, OutputFormat::JsonLines)
    }

    /// Handles a report of a replay that is not the last one.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn follow(&mut self, report: &Report) -> Result<Shown> {
        if self.follows_replay() { self.emit(report, false) } else { Ok(Shown::Yes) }
    }

    /// Writes a line for each finding event that is due. A live run does not wait for a slow
    /// reader: events that are due are written after a later report, with the facts at that time.
    fn emit(&mut self, report: &Report, is_last: bool) -> Result<Shown> {
        let waits = is_last || self.options.only_at_the_end;
        for event in self.finding_events.due(report, is_last) {
            if !waits && !self.output.has_room() {
                break;
            }
            let line = json::finding_event(&event, self.lines + 1, report, &self.context)?;
            if self.output.write_line(&line)? == Shown::NoReader {
                return Ok(Shown::NoReader);
            }
            self.lines += 1;
            self.finding_events.emitted(event, report.at);
        }
        Ok(Shown::Yes)
    }

    /// Shows the same report again, if it is a live page.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn repaint(&mut self, report: &Report) -> Result<Shown> {
        let is_in_place = self.options.format == OutputFormat::Table && self.redraws();
        if is_in_place && !self.options.only_at_the_end {
            self.page(report)
        } else {
            Ok(Shown::Yes)
        }
    }

    /// Shows the last report.
    ///
    /// # Errors
    /// Standard output cannot be written, or writing the CSV file failed during the run.
    pub(crate) fn finish(mut self, report: &Report) -> Result<Shown> {
        self.keep_rows(|context| csv::remaining(report, context).collect());
        self.leave();
        let report = &*self.annotated(report);
        let shown = match self.options.format {
            OutputFormat::Csv => self.output.write(&self.pending_rows)?,
            OutputFormat::Json if self.options.only_at_the_end => {
                self.output.write_line(&json::document(report, &self.context)?)?
            }
            OutputFormat::Json => self.output.write_line(&json::line(report, &self.context)?)?,
            OutputFormat::JsonLines => self.emit(report, true)?,
            OutputFormat::Table => {
                let page = table::page(report, &self.context, self.style(), self.options.least);
                let heading = self.appended.as_ref().map(|_| self.heading(report));
                let text = format!("{}{page}", heading.unwrap_or_default());
                self.output.write(text.as_bytes())?
            }
        };
        if let Some(csv) = self.csv.take() {
            csv.finish()?;
        }
        self.csv_error.take().map_or(Ok(shown), Err)
    }

    fn append(&mut self, rows: &[Vec<u8>]) {
        let Some(csv) = &mut self.csv else { return };
        if let Err(error) = rows.iter().try_for_each(|row| csv.append(row)) {
            self.csv = None;
            self.csv_error = Some(error);
        }
    }

    /// The report, with a note if CSV export stopped.
    fn annotated<'a>(&self, report: &'a Report) -> Cow<'a, Report> {
        let Some(error) = &self.csv_error else { return Cow::Borrowed(report) };
        let mut report = report.clone();
        report.coverage.notes.push(Note::CsvStopped { detail: format!("{error:#}") });
        Cow::Owned(report)
    }

    /// On a terminal the page is repainted in place; elsewhere it is printed, with its time, if it
    /// has news since the previous one.
    fn page(&mut self, report: &Report) -> Result<Shown> {
        let least = self.options.least;
        let printed = (!self.redraws()).then(|| Printed::of(report, least));
        if let (Some(now), Some(earlier)) = (&printed, &self.appended)
            && !now.has_news_since(earlier)
        {
            return Ok(Shown::Yes);
        }
        let page = table::page(&self.annotated(report), &self.context, self.style(), least);
        if self.redraws() {
            if !self.entered {
                self.entered = true;
                self.output.write(terminal::ENTER)?;
            }
            let rows = terminal_size::terminal_size().map_or(24, |(_, height)| height.0);
            return self.output.write(&terminal::frame(&page, rows));
        }
        self.appended = printed;
        let parts = [page.body, page.processes];
        let parts: Vec<String> = parts.into_iter().filter(|it| !it.is_empty()).collect();
        self.output.write_line(&format!("{}{}\n", self.heading(report), parts.join("\n\n")))
    }

    /// The time of the report, on a line.
    fn heading(&self, report: &Report) -> String {
        format!("{}\n", table::heading(report, &self.context))
    }

    /// Whether the page is repainted in place. If diagnostics go to the same screen, they would
    /// overwrite parts of it.
    const fn redraws(&self) -> bool {
        self.is_terminal && !self.options.verbose
    }

    fn style(&self) -> Style {
        style(self.is_terminal, self.options.wide)
    }

    /// Returns to the ordinary screen until the next page.
    pub(crate) fn leave(&mut self) {
        if std::mem::take(&mut self.entered) {
            // If this fails, the next write fails too and reports the error.
            let _ = self.output.write(terminal::LEAVE);
        }
    }
}

/// Restores the terminal, regardless of how the run ends.
impl Drop for Destination {
    fn drop(&mut self) {
        self.leave();
    }
}
