"""The page of one assessment: where the links of cards lead."""
