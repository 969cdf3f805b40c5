/** Fairlead speaker: elects an owner for each VIP and announces it. */
export {};
