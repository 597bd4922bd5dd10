//! What a condition is when it was read: a tree.

use expr::Value;

use super::predicate::Predicate;

/// One part of a condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Literal(Value),
    /// `result`, or a name that a `let` gave.
    Name(String),
    /// `#`, `#acc`, `#index`: what a predicate looks at.
    Pointer(String),
    Unary(&'static str, Box<Node>),
    Binary(&'static str, Box<Node>, Box<Node>),
    Choice(Box<Node>, Box<Node>, Box<Node>),
    Let(String, Box<Node>, Box<Node>),
    Array(Vec<Node>),
    Map(Vec<(Node, Node)>),
    Chain(Box<Node>, Vec<Link>),
    Call(String, Vec<Node>),
    Each(Predicate, Vec<Node>, Option<Box<Node>>),
}

/// One step of `a.b?.c[0].d()`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Link {
    /// `?.`: nil instead of a fault when there is nothing to step from.
    pub(super) optional: bool,
    pub(super) step: Step,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Index(Node),
    Slice(Option<Node>, Option<Node>),
    Method(String, Vec<Node>),
}

/// Levels of a tree. Operators nest on the left without the parser recursing; evaluating them recurses.
pub(super) fn height(node: &Node) -> usize {
    fn tallest<'n>(nodes: impl IntoIterator<Item = &'n Node>) -> usize {
        nodes.into_iter().map(height).max().unwrap_or(0)
    }
    let below = match node {
        Node::Literal(_) | Node::Name(_) | Node::Pointer(_) => 0,
        Node::Unary(_, inner) => height(inner),
        Node::Binary(_, left, right) | Node::Let(_, left, right) => height(left).max(height(right)),
        Node::Choice(condition, then, otherwise) => {
            height(condition).max(height(then)).max(height(otherwise))
        }
        Node::Array(nodes) | Node::Call(_, nodes) => tallest(nodes),
        Node::Map(pairs) => {
            pairs.iter().map(|(key, value)| height(key).max(height(value))).max().unwrap_or(0)
        }
        Node::Each(_, nodes, body) => tallest(nodes.iter().chain(body.as_deref())),
        Node::Chain(base, links) => {
            height(base).max(links.iter().map(|link| link.step.height()).max().unwrap_or(0))
        }
    };
    below + 1
}

impl Step {
    fn height(&self) -> usize {
        match self {
            Self::Index(node) => height(node),
            Self::Slice(from, to) => from.iter().chain(to).map(height).max().unwrap_or(0),
            Self::Method(_, nodes) => nodes.iter().map(height).max().unwrap_or(0),
        }
    }
}
