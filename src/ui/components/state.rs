//! The state of a feature as a shape and a word. The slice is the true share.

use maud::{Markup, html};

use super::ruler::{percent, widest};
use crate::engine::compile::Feature;
use crate::engine::feature::Percent;

/// One state; notes such as "locked" stand beside it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum State {
    On,
    /// A rollout or split leaves people out; the highest reach of any rule.
    Partial(Percent),
    Off,
    Override,
}

impl State {
    pub fn of(feature: &Feature, overridden: bool) -> Self {
        if overridden {
            return Self::Override;
        }
        if !feature.definition().enabled {
            return Self::Off;
        }
        match widest(feature) {
            Some((_, reach)) if reach > Percent(0) && reach < Percent::FULL => Self::Partial(reach),
            _ => Self::On,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Partial(_) => "partial",
            Self::Off => "off",
            Self::Override => "override",
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::On => "On",
            Self::Partial(_) => "Partial",
            Self::Off => "Off",
            Self::Override => "Overridden",
        }
    }

    /// The shape alone.
    pub fn glyph(self, class: Option<&str>) -> Markup {
        html! {
            svg class=[class] viewBox="0 0 16 16" aria-hidden="true" {
                @match self {
                    Self::On => circle cx="8" cy="8" r="7" fill="currentColor" {},
                    Self::Override => path d="M8 .5L15.5 8 8 15.5 .5 8z" fill="currentColor" {},
                    Self::Off => circle cx="8" cy="8" r="6.25" fill="none" stroke="currentColor" stroke-width="1.5" {},
                    Self::Partial(share) => {
                        circle cx="8" cy="8" r="6.25" fill="none" stroke="currentColor" stroke-width="1.5" {}
                        circle cx="8" cy="8" r="2" fill="none" stroke="currentColor" stroke-width="4" pathLength="100"
                            stroke-dasharray={ (share) " 100" } transform="rotate(-90 8 8)" {}
                    },
                }
            }
        }
    }

    /// Shape and word.
    pub fn badge(self) -> Markup {
        html! {
            span class={ "state st-" (self.name()) } {
                (self.glyph(None)) b { (self.word()) }
                @if let Self::Partial(share) = self { span.n { (percent(share)) } }
            }
        }
    }
}
