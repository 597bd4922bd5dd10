//! Says what is known of the one call about a step that is on its way for a Rollout, or was answered.

use serin_core::extension::{Answer, Call, Told};

/// One call and its answer.
#[derive(Debug)]
pub(super) struct Step {
    call: Call,
    answer: Option<Answer>,
    /// It was not wanted any more before its answer came: the answer to the same question later is another one.
    left: bool,
}

impl Step {
    /// A call that is made now.
    pub(super) fn begin(call: Call) -> Self {
        Self { call, answer: None, left: false }
    }

    pub(super) fn call(&self) -> &Call {
        &self.call
    }

    /// Takes the answer.
    pub(super) fn answered(&mut self, answer: Answer) {
        self.answer = Some(answer);
    }

    /// No answer has come: nothing else is asked meanwhile, so that operations do not overtake each other.
    pub(super) fn underway(&self) -> bool {
        self.answer.is_none()
    }

    /// The answer to the call that is due, when this is the one.
    pub(super) fn answer_to(&mut self, due: Option<&Call>) -> Option<Told> {
        if !due.is_some_and(|due| due.same(&self.call)) {
            self.left = true;
        }
        let answer = self.answer.clone().filter(|_| !self.left)?;
        Some(Told { call: self.call.clone(), answer })
    }
}
