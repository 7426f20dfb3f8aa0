//! Where a run shows itself: the terminal, the standard output, the CSV file.

use std::{borrow::Cow, io};

use anyhow::Result;
use tracer_core::{Change, Note, Report};

use super::{
    Context,
    csv::{self, CsvFile},
    json,
    options::{OutputFormat, OutputOptions},
    standard_output::{Shown, StandardOutput},
    table::{self, Style},
    terminal,
};

/// What was shown and is to be shown.
pub(crate) struct Destination {
    output: StandardOutput,
    options: OutputOptions,
    context: Context,
    csv: Option<CsvFile>,
    /// Why the record ends early. The run goes on without it, and fails at the end.
    csv_error: Option<anyhow::Error>,
    /// Rows for the standard output.
    pending_rows: Vec<u8>,
    is_terminal: bool,
    /// The page in place is on the alternate screen.
    entered: bool,
    /// The report of the last page that was appended.
    appended: Option<Report>,
}

impl Destination {
    /// Opens the CSV file, so that a path that cannot be written is known before anything else.
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
            entered: false,
            appended: None,
        };
        if destination.options.format == OutputFormat::Csv {
            destination.output.write(csv::HEADER.as_bytes())?;
        }
        Ok(destination)
    }

    /// Appends the rows of what happened to the record, if there is one. The first failure ends
    /// the record, not the run.
    pub(crate) fn keep(&mut self, report: &Report, changes: &[Change]) {
        let coverage = &report.coverage;
        let rows = |context: &Context| {
            changes.iter().map(|change| csv::change(change, coverage, context)).collect()
        };
        self.keep_rows(rows);
    }

    /// Makes rows, if anybody wants any, and hands them to the record and the standard output.
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

    /// Shows how things stand, if this form does so while a run goes on.
    ///
    /// # Errors
    /// The standard output cannot be written.
    pub(crate) fn show(&mut self, report: &Report) -> Result<Shown> {
        if !self.is_terminal && self.output.is_closed() {
            return Ok(Shown::NobodyReads);
        }
        match self.options.format {
            OutputFormat::Csv => self.output.write(&std::mem::take(&mut self.pending_rows)),
            _ if self.options.only_at_the_end => Ok(Shown::Yes),
            OutputFormat::Json => self.output.write_line(&json::line(report, &self.context)?),
            OutputFormat::Table => self.page(report),
        }
    }

    /// Shows the same again, if it is a page in place.
    ///
    /// # Errors
    /// The standard output cannot be written.
    pub(crate) fn repaint(&mut self, report: &Report) -> Result<Shown> {
        let is_in_place = self.options.format == OutputFormat::Table && self.redraws();
        if is_in_place && !self.options.only_at_the_end {
            self.page(report)
        } else {
            Ok(Shown::Yes)
        }
    }

    /// Shows how it ended.
    ///
    /// # Errors
    /// The standard output cannot be written, or the CSV file could not be at some time.
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
            OutputFormat::Table => {
                let page = table::page(report, &self.context, self.style());
                self.output.write(page.to_string().as_bytes())?
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

    /// The report, with what is wrong with the record in it.
    fn annotated<'a>(&self, report: &'a Report) -> Cow<'a, Report> {
        let Some(error) = &self.csv_error else { return Cow::Borrowed(report) };
        let mut report = report.clone();
        report.coverage.notes.push(Note::CsvStopped { detail: format!("{error:#}") });
        Cow::Owned(report)
    }

    /// On a terminal the page is repainted in place; elsewhere it is appended when it says
    /// something else than the one before.
    fn page(&mut self, report: &Report) -> Result<Shown> {
        let page = table::page(&self.annotated(report), &self.context, self.style());
        if self.redraws() {
            if !self.entered {
                self.entered = true;
                self.output.write(terminal::ENTER)?;
            }
            let rows = terminal_size::terminal_size().map_or(24, |(_, height)| height.0);
            return self.output.write(&terminal::frame(&page, rows));
        }
        let same = |last: &Report| table::have_same_findings(last, report);
        if self.appended.as_ref().is_some_and(same) {
            return Ok(Shown::Yes);
        }
        self.appended = Some(report.clone());
        self.output.write_line(&format!("{}\n", page.body))
    }

    /// Diagnostics on the same screen would tear a page that is repainted.
    const fn redraws(&self) -> bool {
        self.is_terminal && !self.options.verbose
    }

    fn style(&self) -> Style {
        self.output.style(self.is_terminal, self.options.wide)
    }

    /// Gives the ordinary screen back, until the next page.
    pub(crate) fn leave(&mut self) {
        if std::mem::take(&mut self.entered) {
            // If this fails, so does what is shown next, and that says why.
            let _ = self.output.write(terminal::LEAVE);
        }
    }
}

/// Whatever way a run ends, the terminal is as it was.
impl Drop for Destination {
    fn drop(&mut self) {
        self.leave();
    }
}
