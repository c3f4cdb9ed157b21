"""What an act costs in each part, and what a city, a country and the world would need by these costs."""
