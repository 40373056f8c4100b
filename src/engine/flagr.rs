use super::context::Context;
#[derive(Clone, Debug)]
pub struct Constraint;
impl Constraint {
    pub fn compile(_: &str, _: &str, _: &str) -> Result<Self, String> {
        Ok(Self)
    }
    pub fn matches(&self, _: &Context<'_>) -> Result<bool, String> {
        Ok(false)
    }
    pub fn property(&self) -> &str {
        ""
    }
}
