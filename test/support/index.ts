/** Helpers shared by the suites under test/. */
export {};
