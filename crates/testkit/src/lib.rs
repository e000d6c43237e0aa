//! What tests share: the dialogue runner, message builder, seeds.
