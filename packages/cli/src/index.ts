/** The fairlead command. */
export {};
